# The engines that the peers' parts compare, each as SQL. Sourced by run.sh, never run.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   bare      INSERT; DELETE … SKIP LOCKED RETURNING: taken and gone in one commit, no lease
#   ours      submit; claim; complete, sealed; completions flushed in groups (durable => false)
#   firm      the same, each completion durable by itself
#   unsealed  as ours, by a build that seals nothing: like for like
#   pgq       insert_event; next_batch, get_batch_events, finish_batch: one consumer, no priorities
#   graphile  what graphile-worker's client sends     pgboss  what pg-boss's client sends (recorded by statements.js)
#
# In the SQL $1 is the payload, the set of payloads, the batch, or what take gave to ack.

engine_cluster() {
    case $1 in
        ours|firm) echo sealed ;;
        unsealed) echo unsealed ;;
        *) echo plain ;;
    esac
}

is_ours() { [ "$(engine_cluster "$1")" != plain ]; }

# wanted NAME: whether ENGINES leaves it in.
wanted() { [ -z "${ENGINES:-}" ] || [[ " $ENGINES " == *" $1 "* ]]; }

# engines NAME...: those of them that can be measured here; starts their clusters.
engines() {
    local engine
    available=()
    for engine; do
        wanted "$engine" || continue
        if is_ours "$engine"; then
            need sealed
            if ! ours_has submit; then
                [ "$engine" != ours ] || remark "paws_sync: NOT BUILT: this version has no submit, claim and complete, so its rows are missing."
                continue
            fi
        fi
        need "$(engine_cluster "$engine")"
        define_topic "$engine"
        available+=("$engine")
    done
}

define_topic() {
    local kind n
    is_ours "$1" || return 0
    kind=$(engine_cluster "$1")
    [ ! -e "$work/topic.$kind" ] || return 0
    sql "$kind" "SELECT paws_sync.define_topic('bench')" >/dev/null
    for n in 1 2; do sql "$kind" "SELECT subject FROM bench.device WHERE n = $n"; done >"$work/topic.$kind"
}

recorded() { cat "$work/statements/$1"; }

# The class in which ours submits, and whose subject: a token's literal, or a variable of pgbench.
class=standard
subject_of() { printf "'%s'::paws_sync.subject" "$(head -n 1 "$work/topic.$(engine_cluster "$1")")"; }

put_sql() { # ENGINE [SUBJECT]
    case $1 in
        bare) echo 'INSERT INTO bench.bare (payload) VALUES ($1::bytea)' ;;
        prio) echo 'INSERT INTO bench.prio (prio, payload) VALUES (1, $1::bytea)' ;;
        pgq) echo "SELECT pgq.insert_event('bench', 'job', \$1::text)" ;;
        graphile|pgboss) recorded "$1.put" ;;
        *) echo "SELECT job, outcome FROM paws_sync.submit('bench', \$1::bytea, '$class', ${2:-$(subject_of "$1")})" ;;
    esac
}

put_many_sql() { # ENGINE [SUBJECT]
    case $1 in
        bare) echo 'INSERT INTO bench.bare (payload) SELECT $1::bytea FROM generate_series(1, 100)' ;;
        prio) echo 'INSERT INTO bench.prio (prio, payload) SELECT 9, $1::bytea FROM generate_series(1, 100)' ;;
        pgq) echo "SELECT count(pgq.insert_event('bench', 'job', \$1::text)) FROM generate_series(1, 100)" ;;
        graphile|pgboss) recorded "$1.put_many" ;;
        *) echo "SELECT count(*) FROM paws_sync.submit_many('bench', array_fill(\$1::bytea, ARRAY[100]), '$class'," \
            "array_fill(${2:-$(subject_of "$1")}, ARRAY[100]))" ;;
    esac
}

take_sql() { # ENGINE BATCH
    case $1 in
        bare) echo "DELETE FROM bench.bare WHERE id = ANY (ARRAY(SELECT id FROM bench.bare ORDER BY id LIMIT $2" \
            "FOR UPDATE SKIP LOCKED)) RETURNING id, payload" ;;
        prio) echo "DELETE FROM bench.prio WHERE id = ANY (ARRAY(SELECT id FROM bench.prio ORDER BY prio, id LIMIT $2" \
            "FOR UPDATE SKIP LOCKED)) RETURNING id, payload" ;;
        pgq) echo 'SELECT ev_id, ev_data AS payload FROM pgq.get_batch_events($1::bigint)' ;;
        graphile|pgboss) recorded "$1.take_$2" ;;
        *) echo "SELECT job, fence, payload FROM paws_sync.claim(ARRAY['bench'], $2)" ;;
    esac
}

ack_sql() { # ENGINE BATCH
    local durable=false
    [ "$1" != firm ] || durable=true
    case $1 in
        bare|prio) ;;
        pgq) echo "SELECT pgq.finish_batch(\$1::bigint)" ;;
        graphile|pgboss) recorded "$1.ack_$2" ;;
        *)
            if [ "$2" = 1 ]; then
                echo "SELECT paws_sync.complete(\$1::bigint, \$2::bigint, NULL, $durable)"
            else
                # fails if one was lost
                echo "SELECT 1 / (count(*) FILTER (WHERE outcome = 'completed') = cardinality(\$1::bigint[]))::integer" \
                    "FROM paws_sync.complete_many(\$1::bigint[], \$2::bigint[], NULL, $durable)"
            fi
            ;;
    esac
}

form_of() {
    case $1 in
        pgq) echo text ;;
        graphile|pgboss) echo json ;;
        *) echo hex ;;
    esac
}

# consume ENGINE BATCH CONSUMERS OPTIONS...: queue_load with what the engine's consumers say.
consume() {
    local engine=$1 batch=$2 consumers=$3 options
    shift 3
    options=(consumers="$consumers" take="$(take_sql "$engine" "$batch")" ack="$(ack_sql "$engine" "$batch")")
    case $engine in
        graphile) options+=(ids=id arrays=$((batch > 1))) ;;
        pgboss) options+=(ids=id arrays=1 payload=data) ;;
        pgq) options+=(open="SELECT pgq.next_batch('bench', 'bench')") ;;
        bare|prio) ;;
        *) options+=(ids=job,fence arrays=$((batch > 1))) ;;
    esac
    queue_load "$(engine_cluster "$engine")" "${options[@]}" "$@"
}

# ---- scripts of pgbench: a client of ours keeps a subject for 25 transactions on average, as one of many connections does

pick_subject() {
    cat <<'PICK'
\set again random(1, 25)
\if :again = 1 or :known = 0
\set n random(1, 1000)
SELECT subject FROM bench.device WHERE n = :n \gset
\set known 1
\endif
PICK
}

# script NAME ENGINE put|put_many: writes it for pgbench.
script() {
    local name=$1 engine=$2 what=$3 variable
    variable=$(form_of "$engine")
    [ "$what" != put_many ] || [ "$variable" != json ] || variable=many
    {
        ! is_ours "$engine" || pick_subject
        "${what}_sql" "$engine" ':subject::paws_sync.subject' | sed "s/\\\$1/:$variable/g"
    } >"$work/$name"
}

put_load() { # ENGINE put|put_many CLIENTS OPTIONS...: calls a second
    local engine=$1 what=$2 clients=$3
    shift 3
    script "$what.$engine" "$engine" "$what"
    if [ "$(form_of "$engine")" = json ] && [ "$what" = put_many ]; then
        set -- "$@" -D "many=$(recorded "$engine.many")"
    fi
    load "$(engine_cluster "$engine")" "$what.$engine" "$clients" "$@"
}

# ---- what waits

# fill ENGINE ROWS [TICK]: so many rows wait, of the lower level where there are levels; PgQ has a tick each TICK events.
fill() {
    local engine=$1 rows=$2 tick=${3:-100} class=background
    if [ "$engine" = pgq ]; then
        sql plain "SELECT pgq.set_queue_config('bench', 'ticker_max_count', '$tick')" >/dev/null
        script fill.pgq pgq put_many
        [ "$tick" = 100 ] || sed -i "s/(1, 100)/(1, $tick)/" "$work/fill.pgq"
        echo ";SELECT pgq.ticker('bench')" >>"$work/fill.pgq"
        load plain fill.pgq 1 -t $((rows / tick)) >/dev/null
    else
        put_load "$engine" put_many 4 -t $(((rows + 399) / 400)) >/dev/null
    fi
    sql "$(engine_cluster "$engine")" 'VACUUM ANALYZE'
}

# empty ENGINE: nothing waits and nothing is left. Prints how many rows were there, of ours alone.
empty() {
    case $1 in
        bare) sql plain 'TRUNCATE bench.bare' ;;
        prio) sql plain 'TRUNCATE bench.prio' ;;
        graphile) sql plain 'TRUNCATE graphile_worker._private_jobs' ;;
        pgboss) sql plain 'TRUNCATE pgboss.job' ;;
        pgq)
            sql plain "SELECT pgq.unregister_consumer('bench', 'bench'), pgq.drop_queue('bench')" >/dev/null
            sql plain "SELECT pgq.create_queue('bench')" >/dev/null
            sql plain "SELECT pgq.register_consumer('bench', 'bench')" >/dev/null
            sql plain "SELECT pgq.set_queue_config('bench', 'ticker_max_lag', '0')" >/dev/null
            ;;
        *)
            consume "$1" 1000 2 stop_empty=1 seconds=900
            loaded taken 2
            sql "$(engine_cluster "$1")" 'VACUUM ANALYZE'
            ;;
    esac
}

# What the engine's tables and their indexes take, in bytes: "table index".
sizes() {
    local schema
    case $1 in
        bare|prio) schema=bench ;;
        pgq) schema=pgq ;;
        graphile) schema=graphile_worker ;;
        pgboss) schema=pgboss ;;
        *) schema=paws_queue ;;
    esac
    sql "$(engine_cluster "$1")" "SELECT sum(pg_table_size(oid)) || ' ' || sum(pg_indexes_size(oid)) FROM pg_class
        WHERE relnamespace = '$schema'::regnamespace AND relkind = 'r'"
}
