# paws_sync: building, installing and testing.
#
#   make && sudo make install       as with any PGXS extension (PG_CONFIG=... for another PostgreSQL)
#   make installcheck               regression tests against a running server that preloads the extension
#   make up [DIR=...]               a throw-away cluster to work with; its last line is the connection string
#   make down [DIR=...]             stops and removes it
#   make demo [KEEP=1]              a compressed day of a clinic app, with a report
#   make test                       everything below, with clusters of its own
#   make unit lint regress isolation tap      each alone
#   make rotation-faults            a crash at each place between two steps of rotation and erasure
#   make faults [ROWS='idle pinned'] [QUICK=1]      what the crisis lane does while all kinds of things go wrong
#   make soak [SOAK_SECONDS=600]    kills those who work on jobs at random
#   make fuzz [FUZZ_SECONDS=60]     libFuzzer over the parsers, so long for each
#   make canary [ARGS=--small]      plants values everywhere and proves that none leaks
#   make bench [PARTS='submit work'] this queue beside bare statements and its peers, with tables and plots
#   make bench-vault                what sealing costs, beside a build that does not seal
#   make bench-audit                what the crisis lane's audit rows cost, beside a build that writes none
#   make bench-rotation             100,000 persons' keys rotate while others read and write
#   make bare                       proves demo and test in a bare Debian (root, debootstrap)
#   make deps                       installs missing Debian packages; the targets above do it themselves
#   make format                     clang-format 14 over the sources; format-check only looks

all:

EXTENSION = paws_sync
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" paws_sync.control)

# The library is the sum of these, and the install script that of the modules below, in this order:
# a module may use what stands above it. FILE@SCHEMA@LANE is a file with @schema@ and @lane@ put in.
MODULE_big = paws_sync
OBJS = \
	src/paws_sync.o \
	src/base/bulk.o \
	src/base/commit.o \
	src/base/database.o \
	src/base/fault.o \
	src/base/fresh.o \
	src/base/guarded.o \
	src/base/histogram.o \
	src/base/install.o \
	src/base/reserve.o \
	src/base/settings.o \
	src/base/settle.o \
	src/base/shmem.o \
	src/base/spi.o \
	src/base/storage.o \
	src/base/table.o \
	src/base/table_once.o \
	src/base/table_write.o \
	src/base/wake.o \
	src/base/withdraw.o \
	src/base/worker.o \
	src/base/worker_run.o \
	src/vault/aead.o \
	src/vault/certificate.o \
	src/vault/compress.o \
	src/vault/context.o \
	src/vault/data_key.o \
	src/vault/envelope.o \
	src/vault/erasure.o \
	src/vault/kdf.o \
	src/vault/key_cache.o \
	src/vault/key_job.o \
	src/vault/key_wrap.o \
	src/vault/keyring.o \
	src/vault/keyring_change.o \
	src/vault/keyring_claim.o \
	src/vault/keyring_file.o \
	src/vault/keyring_format.o \
	src/vault/keyring_memory.o \
	src/vault/keyring_problem.o \
	src/vault/keyring_replace.o \
	src/vault/keyring_share.o \
	src/vault/keyring_wrap.o \
	src/vault/layer.o \
	src/vault/memory_state.o \
	src/vault/origin.o \
	src/vault/outer_key.o \
	src/vault/padding.o \
	src/vault/purpose.o \
	src/vault/revision_seal.o \
	src/vault/rewrap.o \
	src/vault/root_check.o \
	src/vault/root_command.o \
	src/vault/root_file.o \
	src/vault/root_grammar.o \
	src/vault/root_minder.o \
	src/vault/root_problem.o \
	src/vault/root_provider.o \
	src/vault/roots.o \
	src/vault/seal.o \
	src/vault/secret.o \
	src/vault/suite_aes256gcm.o \
	src/vault/suite_sealed.o \
	src/vault/suite_xchacha20.o \
	src/vault/supersede.o \
	src/vault/vault.o \
	src/guard/audit_chain.o \
	src/guard/audit_row.o \
	src/guard/codes.o \
	src/guard/connection_reserve.o \
	src/guard/enum_map.o \
	src/guard/level_type.o \
	src/guard/log_constant.o \
	src/guard/log_posture.o \
	src/guard/log_scrub.o \
	src/guard/manifest.o \
	src/guard/mint.o \
	src/guard/token.o \
	src/guard/token_type.o \
	src/registry/collections.o \
	src/registry/devices.o \
	src/registry/known.o \
	src/registry/subject_token.o \
	src/registry/subjects.o \
	src/store/counter.o \
	src/store/expire.o \
	src/store/feed.o \
	src/store/late.o \
	src/store/page.o \
	src/store/place.o \
	src/store/read.o \
	src/store/reseal.o \
	src/store/statements.o \
	src/store/store.o \
	src/store/write.o \
	src/queue/admission.o \
	src/queue/allowance.o \
	src/queue/allowance_file.o \
	src/queue/avoid.o \
	src/queue/claim.o \
	src/queue/depth.o \
	src/queue/fetch.o \
	src/queue/finish.o \
	src/queue/flow.o \
	src/queue/flow_rule.o \
	src/queue/inflight.o \
	src/queue/mark.o \
	src/queue/narrow.o \
	src/queue/pause.o \
	src/queue/pick.o \
	src/queue/pick_raised.o \
	src/queue/policy.o \
	src/queue/put.o \
	src/queue/raise.o \
	src/queue/rule.o \
	src/queue/subject.o \
	src/queue/unblock.o \
	src/queue/job.o \
	src/queue/job_claim.o \
	src/queue/job_commit.o \
	src/queue/job_dead.o \
	src/queue/job_finish.o \
	src/queue/job_follow.o \
	src/queue/job_front.o \
	src/queue/job_history.o \
	src/queue/job_key.o \
	src/queue/job_order.o \
	src/queue/job_put.o \
	src/queue/job_raised.o \
	src/queue/job_row.o \
	src/queue/job_seal.o \
	src/queue/job_status.o \
	src/queue/job_subject.o \
	src/queue/job_sweep.o \
	src/queue/job_take.o src/queue/job_turn.o \
	src/queue/job_timer.o \
	src/queue/job_wake.o \
	src/queue/job_write.o \
	src/queue/lease.o \
	src/queue/lease_end.o \
	src/queue/lease_table.o \
	src/queue/topic.o \
	src/care/at_once.o \
	src/care/care.o \
	src/care/look_up.o \
	src/crisis/attention.o \
	src/crisis/audit.o \
	src/crisis/audit_read.o \
	src/crisis/budget.o \
	src/crisis/canary.o \
	src/crisis/canary_history.o \
	src/crisis/crisis.o \
	src/crisis/item.o \
	src/crisis/item_claim.o \
	src/crisis/item_end.o \
	src/crisis/item_late.o \
	src/crisis/item_topic.o \
	src/crisis/outcome.o \
	src/crisis/signal.o \
	src/crisis/signal_audit.o \
	src/crisis/signal_read.o \
	src/crisis/pending.o \
	src/crisis/queue.o \
	src/crisis/queue_read.o \
	src/crisis/documents.o \
	src/crisis/resources.o \
	src/crisis/room.o \
	src/control/admission.o \
	src/control/alarm.o \
	src/control/doctor.o \
	src/control/health.o \
	src/control/horizon.o \
	src/control/keyring.o \
	src/control/latency.o \
	src/control/manifest.o \
	src/control/memory.o \
	src/control/rows.o \
	src/control/stats.o \
	src/control/status.o \
	src/control/topic_rates.o \
	src/control/wal_flood.o \
	src/workers/canary.o \
	src/workers/canary_look.o \
	src/workers/carry.o \
	src/workers/crisis.o \
	src/workers/eraser.o \
	src/workers/job_house.o \
	src/workers/keeper.o \
	src/workers/launcher.o \
	src/workers/pool.o \
	src/workers/rotate_data_keys.o \
	src/workers/rotate_keyring.o \
	src/workers/scheduler.o \
	src/workers/sealer.o \
	src/workers/signals.o \
	src/workers/timer.o \
	src/api/ack.o \
	src/api/base64.o \
	src/api/bundle.o \
	src/api/crisis_audit.o \
	src/api/cursor_type.o \
	src/api/define.o \
	src/api/identity.o \
	src/api/item.o \
	src/api/items_columns.o \
	src/api/items_json.o \
	src/api/job_admit.o \
	src/api/job_arguments.o \
	src/api/job_claim.o \
	src/api/job_finish.o \
	src/api/job_status.o \
	src/api/job_submit.o \
	src/api/keys.o \
	src/api/pause.o \
	src/api/pull.o \
	src/api/pull_crisis.o \
	src/api/pull_rows.o \
	src/api/pull_signals.o \
	src/api/pull_wait.o \
	src/api/push.o \
	src/api/push_ordinary.o \
	src/api/push_seal.o \
	src/api/receipts.o \
	src/api/signal.o \
	src/api/topics.o

# For the benchmark alone, in a copy of the tree: the same library without sealing.
ifneq ($(UNSEALED),)
OBJS := $(filter-out src/vault/seal.o src/vault/revision_seal.o,$(OBJS)) test/bench/unsealed.o
endif

# Likewise without the audit rows of the crisis lane.
ifneq ($(UNAUDITED),)
OBJS := $(filter-out src/crisis/audit.o,$(OBJS)) test/bench/unaudited.o
endif

SQL_MODULES = \
	src/base/base.sql \
	src/guard/guard.sql \
	src/guard/log_posture.sql \
	src/vault/vault.sql \
	src/registry/registry.sql \
	src/queue/queue.sql \
	src/queue/job.sql \
	src/queue/raise.sql \
	src/care/care.sql \
	src/store/tables.sql@paws_care@ordinary \
	src/crisis/crisis.sql \
	src/crisis/canary.sql \
	src/crisis/signal.sql \
	src/crisis/audit.sql \
	src/store/tables.sql@paws_crisis@crisis \
	src/control/control.sql \
	src/control/health.sql \
	src/control/admission.sql \
	src/control/manifest.sql \
	src/control/horizon.sql \
	src/control/doctor.sql \
	src/api/api.sql \
	src/api/crisis.sql \
	src/api/jobs.sql \
	src/api/signal.sql \
	src/api/keys.sql \
	src/api/profiles.sql

DATA_built = $(EXTENSION)--$(EXTVERSION).sql

# Free of the server's headers: linked into the unit tests.
UNIT_SOURCES = \
	src/api/base64.c \
	src/guard/audit_row.c \
	src/guard/token.c \
	src/queue/flow_rule.c \
	src/queue/narrow.c \
	src/queue/rule.c \
	src/vault/aead.c \
	src/vault/compress.c \
	src/vault/context.c \
	src/vault/envelope.c \
	src/vault/keyring_format.c \
	src/vault/keyring_wrap.c \
	src/vault/kdf.c \
	src/vault/layer.c \
	src/vault/padding.c \
	src/vault/purpose.c \
	src/vault/root_grammar.c \
	src/vault/suite_aes256gcm.c \
	src/vault/suite_sealed.c \
	src/vault/suite_xchacha20.c

# preflight comes first and alone: without preload or keys nothing behind it can tell anything.
REGRESS_FIRST = preflight
REGRESS = install setup members security profiles matrix vocabulary level token identity collection push push_many conflict \
	pull pull_wait receipts ack_status housekeeping policy schedule admission crisis crisis_api signals crisis_lane two_phase \
	topics jobs jobs_keys jobs_bad_input remembered \
	resilience bad_input stats readme manifest doctor construction sealing envelope_swap health uninstall

REGRESS_OPTS = --use-existing

PG_CPPFLAGS = -Isrc -MMD -MP -DPAWS_SYNC_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wswitch-enum -Werror=switch-enum \
	-ffile-prefix-map=$(CURDIR)=.
SHLIB_LINK = -lsodium -llz4 -lzstd
EXTRA_CLEAN = $(OBJS:.o=.d) test/output

# A new compiler at a user's must not break the build; ours may.
ifneq ($(CI),)
PG_CFLAGS += -Werror
endif

# Bitcode is for inlining operators into queries; nothing here would gain by it.
override with_llvm = no

# Debian's place first: the pg_config in PATH may be that of the newest major.
PG_MAJOR ?= 15
ifeq ($(origin PG_CONFIG),undefined)
PG_CONFIG := $(firstword $(wildcard /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config) pg_config)
endif
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
SERVER_HEADERS := $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)

# A bare machine has neither; then only the targets that install them work.
ifneq ($(and $(wildcard $(PGXS)),$(wildcard $(SERVER_HEADERS)/postgres.h)),)
include $(PGXS)
-include $(OBJS:.o=.d)
installcheck: installcheck-first
else
all install installcheck clean:
	@echo "no PostgreSQL development files found by PG_CONFIG=$(PG_CONFIG): run \"make deps\"" >&2; exit 1
endif

SQL_FILES = $(sort $(foreach module,$(SQL_MODULES),$(firstword $(subst @, ,$(module)))))

$(EXTENSION)--$(EXTVERSION).sql: $(SQL_FILES) Makefile paws_sync.control
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit'; \
	   for module in $(SQL_MODULES); do echo; echo "-- $$module"; \
	       file=$${module%%@*}; rest=$${module#*@}; \
	       sed "s|@schema@|$${rest%%@*}|g; s|@lane@|$${rest##*@}|g" "$$file" || exit 1; done; } > $@.tmp
	@mv $@.tmp $@

installcheck-first:
	@$(pg_regress_installcheck) $(filter-out --use-existing,$(REGRESS_OPTS)) $(REGRESS_FIRST) || \
		{ cat regression.diffs; echo "the server is not ready for the tests: see above"; exit 1; }

# What the scripts need to know of the lists above.
print-%:
	@echo '$($*)'

CLUSTER = bash test/cluster.sh

deps:
	@bash test/deps.sh demo

up:
	@bash test/deps.sh
	@$(CLUSTER) up $(if $(DIR),--dir '$(DIR)')

down:
	@$(CLUSTER) down $(if $(DIR),--dir '$(DIR)')

test:
	@bash test/deps.sh demo
	@bash test/run.sh

unit lint regress isolation tap:
	@bash test/deps.sh demo
	@bash test/run.sh $@

format-check:
	@bash test/lint/format.sh

format:
	@bash test/lint/format.sh --write

demo:
	@bash test/deps.sh demo
	@DIR="$${DIR:-$${TMPDIR:-/tmp}/paws_demo.$$(id -un)}" bash test/demo/run.sh

bench-rotation:
	@bash test/deps.sh
	@bash test/bench/rotation.sh

rotation-faults:
	@bash test/deps.sh demo
	@PAWS_FAULTS=all TAP_TESTS='t/112*.pl' bash test/run.sh tap

faults:
	@bash test/deps.sh demo
	@bash test/faults/run.sh $(ROWS)

soak:
	@bash test/deps.sh demo
	@SOAK_SECONDS=$(or $(SOAK_SECONDS),600) TAP_TESTS='t/121*.pl' bash test/run.sh tap

fuzz:
	@bash test/deps.sh fuzz
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' bash test/fuzz/run.sh

canary:
	@bash test/deps.sh canary
	@bash test/canary/run.sh $(ARGS)

bench:
	@bash test/deps.sh bench
	@bash test/bench/run.sh $(PARTS)

bench-vault:
	@bash test/deps.sh
	@bash test/bench/vault.sh

bench-audit:
	@bash test/deps.sh
	@bash test/bench/audit.sh

bare:
	@bash test/bare-debian.sh

.PHONY: all deps up down test unit lint regress isolation tap format format-check demo fuzz canary bench bench-audit bench-vault bench-rotation \
	bare faults rotation-faults soak installcheck-first
