# Rows of the matrix: keys, limits, tiers, clients. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

row_keyring_gone() {
    about serves "the keyring's file and all roots gone and closed while the server runs"
    as_server mv "$dir/$current/keys/keyring" "$dir/$current/keys/keyring.away"
    as_server chmod 000 "$dir/$current/keys"
    undo="as_server chmod 700 '$dir/$current/keys'; as_server mv '$dir/$current/keys/keyring.away' '$dir/$current/keys/keyring'; $undo"
    faulted
    ordinary_load 2
    crisis
    end_faults
}

row_keyring_none() {
    about serves "the server was started without any key; what is pushed is read with keys later"
    subjects 16
    cluster "$current" restart --without-keys
    [ "$(sql "SELECT state FROM paws_sync.status() WHERE component LIKE 'keys%' LIMIT 1")" = ready ] || faulted
    crisis
    cluster "$current" restart
}

row_limits() {
    about serves "rate limits exhausted: every limit at its least, and the same subjects beyond it"
    fresh
    subjects 16
    sql "SELECT paws_sync.set_tier_policy(t, ops_per_second => 1, ops_burst => 1, bytes_per_second => 1, bytes_burst => 1, pull_bytes_per_second => 1, pull_bytes_burst => 1)
        FROM (VALUES ('trial'::paws_sync.tier), ('basic'), ('premium'), ('grace_period')) v (t)" >/dev/null || value "broken limits"
    again push_beyond
    crisis
}

# True if somebody was told that it is too much.
push_beyond() {
    [ "$(sql "SELECT count(*) > 0 FROM faults.subject s, paws_sync.push_many(s.device, ARRAY[gen_random_uuid()], ARRAY['faults_interactive'], ARRAY[gen_random_uuid()], ARRAY[0::bigint], ARRAY['\\x00'::bytea]) p
        WHERE s.name LIKE '$row.%' AND p.outcome = 'limited'")" = t ]
}

entitle() { # TIER UNTIL
    sql "SELECT count(paws_sync.set_entitlement(subject, '$1', $2)) FROM faults.subject WHERE name LIKE '$row.%'" && sleep 0.02
}

payment_fails() { entitle premium NULL && entitle grace_period "now() + interval '1 hour'" && entitle basic NULL; }

row_payment_failed() {
    about serves "payment failed: premium, then grace, then basic, over and over"
    subjects 16 premium
    ordinary_load 2
    again payment_fails
    crisis
}

# As if the time until which it was given were over; the API takes no such time.
row_trial_expired() {
    about serves "trial expired"
    subjects 16 trial
    sql "UPDATE paws_care.entitlement e SET until = now() - interval '2 days' FROM paws_registry.subject r, faults.subject f
        WHERE r.subject_no = e.subject_no AND r.subject OPERATOR(paws_sync.=) f.subject AND f.name LIKE '$row.%'"
    faulted
    crisis
}

row_idle_in_transaction() {
    about serves "other clients idle in their transactions after push_crisis on the same subjects"
    subjects 16
    holders 16
    sleep 0.3
    faulted
    crisis pushers=64
    note "queued: the subject was held for more than 50 ms"
}

row_statement_timeout() {
    about serves "statement_timeout of the caller 1 ms; what is cancelled is pushed again"
    allow 57014
    faulted
    crisis pusher_options="options='-c statement_timeout=1'" pushers=32
}

row_lock_timeout() {
    about serves "lock_timeout of the caller 1 ms, 4 devices push for each subject"
    faulted
    crisis pusher_options="options='-c lock_timeout=1'" pushers=64
}

# Every connection that ordinary clients may have is taken and more are tried for; each push connects anew.
row_connections() {
    local free
    about serves "all ordinary connections taken; every crisis push comes by a new connection"
    fresh -c max_connections=50 -c superuser_reserved_connections=6 -c paws_sync.crisis_reserved_connections=20
    subjects 8
    free=$(sql "SELECT current_setting('max_connections')::integer - 6 - 20 - count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
    load idlers "$free" ordinary_client <<<'\sleep 1 s
SELECT 1;'
    until_sql "SELECT count(*) = $free FROM pg_stat_activity WHERE usename = 'ordinary_client'" 20
    again refused_connection
    crisis pushers=8 connect=1 rate=$((rate / 5)) operations=$((operations / 5))
}

refused_connection() {
    ! "$PG_BIN/psql" -X -q -d "$(conninfo ordinary_client)" -c 'SELECT 1' 2>"$work/refusal" && grep -q 'reserved for crisis' "$work/refusal" && sleep 0.02
}
