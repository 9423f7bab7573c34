# submit: jobs put one at a time and in sets of 100. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

submit_case() { # ENGINE put|put_many CLIENTS ROUND
    local engine=$1 what=$2 clients=$3 round=$4 rate each=1 put there
    [ "$what" = put ] || each=100
    rate=$(put_load "$engine" "$what" "$clients" -T "$duration")
    measured "submit.$engine.$each.$clients" "$round" "$(calc "$rate * $each")"
    put=$(($(transactions "$what.$engine") * each))
    there=$(empty "$engine")
    if is_ours "$engine" && [ "$there" != "$put" ]; then
        die "$engine: $put jobs were submitted, and $there were there"
    fi
}

submit_by_clients() { # through the peers' own node clients
    local peer rate clients
    for peer in graphile pgboss; do
        wanted "$peer" || continue
        for clients in 1 4 16; do
            rate=$(node_peer client.js "$dir/plain" "$port" paws "$peer" submit "$clients" "$duration" "$payload_json")
            measured "submit.${peer}_node.1.$clients" 1 "$rate"
        done
        for clients in 1 4; do
            rate=$(node_peer client.js "$dir/plain" "$port" paws "$peer" submit_many "$clients" "$duration" "$payload_json")
            measured "submit.${peer}_node.100.$clients" 1 "$rate"
        done
        empty "$peer"
    done
}

part_submit() {
    local round engine clients
    engines bare ours unsealed pgq graphile pgboss
    for ((round = 1; round <= rounds; round++)); do
        say "submit: round $round of $rounds"
        for clients in 1 4 16 64; do
            for engine in "${available[@]}"; do submit_case "$engine" put "$clients" "$round"; done
        done
        for clients in 1 4; do
            for engine in "${available[@]}"; do submit_case "$engine" put_many "$clients" "$round"; done
        done
    done
    say "submit: the peers' own clients"
    submit_by_clients
}
