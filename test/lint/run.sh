#!/bin/bash
# run.sh: the rules of the source that need no server. Prints TAP: "ok" or "not ok" for each rule, with the
# places that break it above as comments, and "# SKIP" where a tool is not there. Every rule is a function
# that prints what breaks it and nothing else; rules over the catalogs are regression tests.
set -uo pipefail

. "$(dirname "$0")/../lib.sh"
cd "$TOP" || exit 1

here=test/lint
status=0

files() {
    git -c safe.directory="$TOP" ls-files -co --exclude-standard -- "$@" 2>/dev/null | while IFS= read -r file; do
        [ ! -f "$file" ] || printf '%s\n' "$file"
    done
}

rule() {
    local name=$1 found
    shift
    found=$("$@" 2>&1)
    if [[ $found == SKIP* ]]; then
        echo "ok - $name # $found"
    elif [ -n "$found" ]; then
        printf '%s\n' "$found" | sed 's/^/# /'
        echo "not ok - $name"
        status=1
    else
        echo "ok - $name"
    fi
}

# Every source, SQL module and regression test is in its list, and the lists name nothing else.
listed() {
    local list=$1 pattern=$2 from=$3 to=$4
    diff <(make -s print-"$list" | tr ' ' '\n' | grep . | sort) \
        <(files "$pattern" | sed "s|$from|$to|" | sort) |
        sed -n "s/^< \(.*\)/\1 is in $list of the Makefile, but there is no such file/p
                s/^> \(.*\)/\1 is missing in $list of the Makefile/p"
}
list_of_objects() { listed OBJS 'src/**.c' '\.c$' '.o'; }
list_of_modules() { listed SQL_FILES 'src/**.sql' '$' ''; }
list_of_tests() {
    diff <(make -s print-REGRESS_FIRST print-REGRESS | tr ' ' '\n' | grep . | sort) \
        <(files 'sql/*.sql' | sed 's|^sql/||; s|\.sql$||' | sort) |
        sed -n 's/^< \(.*\)/\1 is in REGRESS of the Makefile, but not in sql/p
                s/^> \(.*\)/sql\/\1.sql is missing in REGRESS of the Makefile/p'
}
regress_pairs() {
    diff <(files 'sql/*.sql' | sed 's|^sql/||; s|\.sql$||' | sort) \
        <(files 'expected/*.out' | sed 's|^expected/||; s|\(_[0-9]\)\{0,1\}\.out$||' | sort -u) |
        sed -n 's/^< \(.*\)/sql\/\1.sql has no expected file/p; s/^> \(.*\)/expected\/\1.out has no test/p'
}

# On 15 every function that is not static is exported, and the names of all libraries meet in one space.
exported_names() {
    [ -f paws_sync.so ] || { echo "SKIP the library is not built"; return; }
    nm -D --defined-only paws_sync.so | awk '
        $3 !~ /^(paws_[a-z0-9_]+|pg_finfo_paws_[a-z0-9_]+|Pg_magic_func|_PG_init|_init|_fini)$/ { print $3 " is exported" }'
}

documented_settings() {
    local setting
    [ -f src/base/settings.c ] || { echo "SKIP there are no settings"; return; }
    [ -f README.md ] || { echo "there is no README.md"; return; }
    grep -ohE '"paws_sync\.[a-z_]+"' src/base/settings.c | tr -d '"' | sort -u | while IFS= read -r setting; do
        grep -qE "\b${setting//./\\.}\b" README.md || echo "$setting is not in README.md"
    done
}

# An install script that would take over what it finds hands the finder's owner our rights.
creation_is_plain() {
    files 'src/**.sql' | while IFS= read -r file; do
        sed 's/--.*//' "$file" | grep -niE '\bCREATE[[:space:]]+OR[[:space:]]+REPLACE\b|\bIF[[:space:]]+NOT[[:space:]]+EXISTS\b' |
            sed "s|^|$file:|"
    done
}

# Everybody may execute the support functions of types: all of guard, and input and output elsewhere. The catalog test knows each.
execution_is_revoked() {
    local file name
    files 'src/**.sql' | grep -v '^src/guard/' | while IFS= read -r file; do
        sed 's/--.*//' "$file" | grep -oiE '\bCREATE[[:space:]]+(FUNCTION|PROCEDURE)[[:space:]]+[a-z_.@]+' |
            awk '{ print $3 }' | grep -vE '_(in|out|recv|send)$' | sort -u | while IFS= read -r name; do
            tr '\n' ' ' <"$file" | grep -qiE "REVOKE[[:space:]]+(ALL|EXECUTE)[[:space:]]+ON[[:space:]]+(FUNCTION|PROCEDURE|ROUTINE)[^;]*\b${name//./\\.}\b" ||
                echo "$file: $name is created without a REVOKE beside it"
        done
    done
}

# Names of machines and of package sources have no place in the project; the shapes suffice to find them.
no_foreign_places() {
    files | grep -v "^$here/run.sh\$" | while IFS= read -r file; do
        grep -nIE "(^|[^A-Za-z0-9_./-])/(work|home|root)/[A-Za-z0-9]" "$file" | sed "s|^|$file:|"
        grep -nIE "\b(deb|ftp[0-9]*|security|snapshot|registry|proxy|mirrors?|index|files|static|cdn)\.[a-z0-9-]+\.(org|com|net|io|dev)\b" \
            "$file" | sed "s|^|$file:|"
    done
}

white_space() {
    files | grep -vE '^(test/isolation/)?expected/|^test/fuzz/corpus/|\.(png|svg|html)$' | while IFS= read -r file; do
        grep -nIE '[[:space:]]+$' "$file" | sed "s|^\([0-9]*\):.*|$file:\1: white space at the end of the line|"
        [ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || echo "$file: no newline at the end"
    done
}

shell_syntax() {
    local file
    files '*.sh' .ci/run | while IFS= read -r file; do bash -n "$file"; done
}

rule "rooms include downwards only" bash $here/rooms.sh
rule "the crisis lane is alone" bash $here/lane.sh
rule "objects are all listed" list_of_objects
rule "SQL modules are all listed" list_of_modules
rule "regression tests are all listed" list_of_tests
rule "regression tests have expected files" regress_pairs
rule "exported names are ours" exported_names
rule "settings are in README.md" documented_settings
rule "the install script only creates" creation_is_plain
rule "execution is revoked beside each function" execution_is_revoked
rule "no names of machines or package sources" no_foreign_places
rule "white space" white_space
rule "shell scripts parse" shell_syntax
bash $here/lengths.sh || status=1
rule "C is formatted" bash $here/format.sh
exit "$status"
