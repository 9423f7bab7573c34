"""What the crisis lane says of itself after the day: its canary, what became of operations, its alarms."""


def shown(server):
    """(rows, problems). That a machine with other things to do was slow for once is told, and is no problem."""
    lane = server.dicts("SELECT * FROM paws_sync.pg_stat_paws_sync_crisis")[0]
    refusals = server.rows("SELECT code, count FROM paws_sync.pg_stat_paws_sync_crisis_refusals WHERE count > 0")
    alarms = server.rows("SELECT alarm, times, raised FROM paws_sync.pg_stat_paws_sync_alarms WHERE times > 0")
    rounds = lane["canary_rounds"]
    rows = [
        ("State", lane["state"]),
        ("Canary", f"{rounds} rounds, the last one in {lane['canary_last']:.1f} ms, the longest in {lane['canary_worst']:.1f} ms,"
                   f" {lane['canary_failed']} failed" if rounds else "no round yet"),
        ("Operations", f"{lane['attempts']:,} tried, {lane['acknowledged']:,} acknowledged, {lane['overdue']:,} of them later than"
                       f" after 200 ms, {lane['rolled_back']:,} rolled back by their own transactions"),
        ("Refused", ", ".join(f"{count:,} {code}" for code, count in refusals) or "none"),
        ("There", f"{lane['available_1d']:.3%} of the time that the canary measured" if lane["available_1d"] is not None
         else "not measured yet"),
        ("Alarms", ", ".join(f"{alarm} {times}{' (now)' if raised else ''}" for alarm, times, raised in alarms) or "none"),
    ]
    problems = []
    if not rounds:
        problems.append("the crisis lane has no canary")
    if lane["refused"]:
        problems.append(f"{lane['refused']} crisis operations were refused")
    if lane["attempts"] != lane["acknowledged"] + lane["refused"] + lane["rolled_back"]:
        problems.append("crisis operations that were tried are in no count")
    return rows, problems
