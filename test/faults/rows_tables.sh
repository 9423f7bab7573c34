# Rows of the matrix: what is done to the tables of the other domains, while ordinary clients push too. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

# each_foreign SQL SCHEMA...: the statement with %s for each table there, in one session, as much as works. A @ stands where it
# is counted, if what is before it worked.
each_foreign() {
    local statement=$1 table
    shift
    foreign "$@" | while read -r table; do
        printf '%s\n' "${statement//%s/$table}" | sed 's|@|\n\\if :ERROR\n\\else\n\\! echo >>'"$work/faults"'\n\\endif\n|'
    done >"$work/each"
    timeout 60 "$PG_BIN/psql" -X -q -o /dev/null -d "$(conninfo)" -f "$work/each"
}

row_vacuum_full() {
    about serves "VACUUM FULL of every table of queue, care, vault, billing and audit, again and again"
    subjects 16
    ordinary_load 2
    again each_foreign 'VACUUM FULL %s;@' $all_foreign
    crisis
}

row_reindex() {
    about serves "REINDEX of the same"
    subjects 16
    ordinary_load 2
    again each_foreign 'REINDEX TABLE %s;@' $all_foreign
    crisis
}

# Columns that come and go leave a mark on a table, so the cluster goes too.
row_alter() {
    about serves "ALTER of the same: a column that rewrites the table is added and dropped"
    fresh
    subjects 16
    ordinary_load_failing 2
    again each_foreign 'ALTER TABLE %s ADD COLUMN fault uuid DEFAULT gen_random_uuid(); ALTER TABLE %s DROP COLUMN fault;@' $all_foreign
    crisis
}

locks_of() { # TITLE SCHEMA...
    local title=$1
    shift
    if [ -z "$(foreign "$@")" ]; then
        about serves "$title"
        skip "this version has no such tables"
        return 0
    fi
    about serves "$title"
    subjects 16
    ordinary_load_failing 2
    again each_foreign "BEGIN; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0.2);@ ROLLBACK;" "$@"
    crisis
}

row_locks_queue() { locks_of "ACCESS EXCLUSIVE on each table of the queue in turn" paws_queue; }
row_locks_care() { locks_of "ACCESS EXCLUSIVE on each table of care in turn" paws_care; }
row_locks_vault() { locks_of "ACCESS EXCLUSIVE on each table of the vault in turn" paws_vault; }
row_locks_billing() { locks_of "ACCESS EXCLUSIVE on each table of billing in turn" paws_billing; }
row_locks_audit() { locks_of "ACCESS EXCLUSIVE on each table of the audit logs in turn" paws_audit paws_billing_audit; }

row_locks_all() {
    about serves "ACCESS EXCLUSIVE on all of them together, all the time"
    subjects 16
    hold "BEGIN; LOCK TABLE $(foreign $all_foreign | paste -sd, -) IN ACCESS EXCLUSIVE MODE"
    faulted
    ordinary_load 2
    crisis
    end_faults
    let_go
}

row_locks_all_push() {
    about serves "the same, for clients that know nothing of lanes: push instead of push_crisis"
    subjects 16
    hold "BEGIN; LOCK TABLE $(foreign $all_foreign | paste -sd, -) IN ACCESS EXCLUSIVE MODE"
    faulted
    crisis function=push
    let_go
}

row_emptied() {
    about serves "all tables of queue, care, billing and audit emptied, again and again"
    fresh
    subjects 16
    ordinary_load_failing 2
    again claim_jobs
    again empty_all
    crisis
}

empty_all() { sql "TRUNCATE $(foreign paws_queue paws_care paws_billing paws_audit paws_billing_audit | paste -sd, -) CASCADE" && sleep 0.2; }

row_renamed() {
    about serves "all tables of queue, care, vault, billing and audit renamed away"
    fresh
    subjects 16
    sql "DO \$\$ DECLARE t record; BEGIN FOR t IN SELECT * FROM faults.foreign_table LOOP EXECUTE format('ALTER TABLE %s RENAME TO %I', t.shown, 'gone_' || t.name); END LOOP; END \$\$"
    faulted
    ordinary_load_failing 2
    again claim_jobs
    crisis
    end_faults
    sql "DO \$\$ DECLARE t record; BEGIN FOR t IN SELECT * FROM faults.foreign_table LOOP EXECUTE format('ALTER TABLE %s RENAME TO %I', t.shown, substr(t.name, 6)); END LOOP; END \$\$"
}

row_corrupted() {
    about serves "the content of queue, care, vault, billing and audit turned into nonsense"
    fresh
    fill_a_little
    subjects 16
    for _ in 1 2 3 4 5; do      # workers lock in another order
        ! sql "CALL faults.corrupt('{${all_foreign// /,}}')" || break
    done
    [ "$(sql "SELECT bool_and(until = '-infinity') FROM paws_care.entitlement")" = t ]
    faulted
    ordinary_load_failing 2
    again claim_jobs
    crisis
    end_faults
    check receipts=0
}

# Documents, operations that wait, jobs that wait.
fill_a_little() {
    sql "SELECT faults.push_ordinary(device, 'faults_interactive', 20) FROM faults.ordinary;
        SELECT paws_sync.define_topic('faults');
        SELECT paws_sync.submit('faults', '\x00'::bytea) FROM generate_series(1, 1000)" >/dev/null
}

# Workers of the application that go on claiming, whatever they are told.
claim_jobs() {
    "$PG_BIN/psql" -X -q -o /dev/null -d "$(conninfo)" -c "SELECT job, fence FROM paws_sync.claim(ARRAY['faults'], 5)" \
        -c "SELECT paws_sync.submit('faults', '\x00'::bytea)" -c "SELECT * FROM paws_sync.topics()" -c "SELECT * FROM paws_sync.status()"
    sleep 0.02
    return 1
}

# Written over while the server is down, so that no cache helps.
row_pages() {
    local table file
    about serves "noise instead of the pages of all tables of queue, care, vault, billing and audit"
    fresh
    fill_a_little
    subjects 16
    sql CHECKPOINT
    sql "SELECT pg_relation_filepath(oid) FROM faults.foreign_table WHERE pg_relation_size(oid) > 0" >"$work/files"
    stop_server "$dir/$current/data"
    while read -r file; do
        as_server dd if=/dev/urandom of="$dir/$current/data/$file" conv=notrunc bs=8192 \
            count=$(($(as_server stat -c %s "$dir/$current/data/$file") / 8192)) 2>>"$log" && faulted
    done <"$work/files"
    cluster "$current" restart
    ordinary_load_failing 2
    again claim_jobs
    crisis
    end_faults
    check receipts=0
}

row_pinned() {
    about serves "pinned xmin: a snapshot held since before, over dead rows in the lane's own tables and the queue"
    subjects 16
    hold 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class'
    ordinary_load 2
    "$work/crisis_load" "$(conninfo crisis_client)" subjects="$work/subjects" operations="$operations" rate=0 log="$work/earlier" >>"$log" 2>&1
    faulted
    crisis
    end_faults
    let_go
}
