# Every target works from a fresh clone with Go, make and git; what one needs
# besides is fetched by Go, or installed (as root) or asked for by the tests.

GO       ?= go
PACKAGES ?= ./...
FUZZTIME ?= 20s
BENCH    ?= .
SUITE    ?= .
BUILDER  ?= $(or $(shell command -v buildah),$(shell command -v podman),docker)

.PHONY: help build run image test race fuzz bench sim test-clients test-suites test-input test-kills test-reconfig test-disks test-image test-zkcli compare compare-operators bench-compare bench-against bench-tls profile-metrics test-kafka-on-holt test-kafka-clients test-franz-go test-broker-kills bench-broker test-coordinators bench-failover lint docs clean test-migration bench-migration bench-backup bench-restore

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the commands in bin/, static binaries
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -o bin/ ./cmd/...

run: build ## a server on 127.0.0.1:2181 and a Kafka-style broker on 9092 with temporary data; Ctrl-C ends it
	bin/holt dev

image: ## a container image holt, by buildah, podman or docker (BUILDER), which takes the place of the official ZooKeeper one
	rm -rf bin/image
	mkdir -p bin/image/usr/bin bin/image/conf bin/image/data bin/image/datalog bin/image/logs
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/image/usr/bin/ ./cmd/...
	ln -s holt bin/image/usr/bin/zkServer.sh
	ln -s holt bin/image/usr/bin/zkServer-initialize.sh
	ln -s zkcli bin/image/usr/bin/zkCli.sh
	$(BUILDER) build $(BUILDARGS) -f cmd/holt/packaging/Containerfile -t $(or $(IMAGE),holt) bin/image

test: ## everything that needs no other program: at most 15 minutes on two cores
	$(GO) vet $(PACKAGES)
	$(GO) test -timeout 14m $(PACKAGES)

race: ## the same under the race detector (needs gcc)
	CGO_ENABLED=1 $(GO) test -race -timeout 40m $(PACKAGES)

fuzz: ## each fuzz target for FUZZTIME (20s)
	@set -e; for pkg in $$($(GO) list $(PACKAGES)); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

bench: ## Go benchmarks; BENCH selects by name
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PACKAGES)

sim: ## simulated ensembles under faults, SEEDS (2000) of them with Raft alone and with whole members; SEED repeats one
	$(GO) test -count 1 -timeout 0 ./quorum/quorumtest ./server -run 'TestSimulation$$' -seeds=$(or $(SEEDS),2000) -seed=$(or $(SEED),0)

test-clients: ## clients nobody here wrote against three server processes; installs them as root
	$(GO) test -count 1 -timeout 25m ./compat/clients -target=holt

test-suites: ## the tests of kazoo and go-zookeeper, Curator's recipes, Patroni; SUITE=TestKazoo for one; installs what they need
	$(GO) test -count 1 -timeout 25m ./compat/suites -target=holt -run '$(SUITE)'

test-input: ## lying lengths, random bytes, clients that never read, 10,000 connections, half TLS, slow HTTP, bad tokens; on every port
	$(GO) test -count 1 -timeout 15m ./compat/badinput -target=holt

test-kills: ## kill -9 of leader, follower, all three under load, 30 rounds; histories are checked; and at each step of a restore
	$(GO) test -count 1 -timeout 25m -v ./compat/history -run 'TestKillsUnderLoad|TestKillsInRestores|TestKillsAtStepsOfRestores' -target=holt

test-reconfig: ## members come and go: answers, files and events as Apache ZooKeeper's, all members replaced under load, kill -9 at each step of a change and at random moments, a rolling upgrade and the way back; CHANGES (12), SEED repeats
	$(GO) test -count 1 -timeout 3m -v ./compat/reconfig -target=holt
	$(GO) test -count 1 -timeout 12m -v ./compat/history -target=holt -run 'TestEveryMemberIsReplaced|TestKillsInChanges|TestKillsAtStepsOfChanges|TestHandOver|TestRollingUpgrade' -changes=$(or $(CHANGES),12) -seed=$(or $(SEED),0)

test-disks: ## a full disk and one that fails (as root): the member stops with exit code 3, nothing is lost
	$(GO) test -count 1 -timeout 15m -v ./compat/diskfault -target=holt

test-image: ## the container image, built by buildah and run; needs root, installs buildah
	$(GO) test -count 1 -timeout 10m -v ./compat/image -target=holt

test-zkcli: ## some 350 command lines through zkCli.sh and zkcli, compared; ZKCLI_TARGET=zookeeper or holt
	$(GO) test -count 1 -timeout 10m -v ./compat/zkcli -target=$(or $(ZKCLI_TARGET),zookeeper)

test-migration: ## data and live sessions from Apache ZooKeeper to Holt and back; REWRITE=-rewrite records the files of 3.4 to 3.9 anew
	$(GO) test -count 1 -timeout 20m -v ./compat/migration -target=holt $(REWRITE)

bench-migration: ## a million nodes from ZooKeeper's files and back; fails above 30 s each way
	$(GO) test -run '^$$' -bench Migrate1M -benchtime 3x ./cmd/holt/internal/migrate

bench-backup: ## p99 of writes with and without a backup of 4 M nodes (NODES); fails above twice as much
	$(GO) test -count 1 -timeout 20m -v ./compat/migration -run TestBackupCost -target=holt -backup-nodes=$(or $(NODES),4000000)

bench-restore: ## a snapshot of a million nodes (NODES) into three members that serve: time, longest pause of writes, memory; fails above 90 s, 3 s, 1 GiB
	$(GO) test -count 1 -timeout 15m -v ./compat/migration -run TestRestoreCost -target=holt -restore-nodes=$(or $(NODES),1000000)

compare: ## Holt and Apache ZooKeeper reply by reply: all scripts, then N (100000) replies of random ones; SEED repeats
	$(GO) test -count 1 -timeout 0 -v ./compat/compare -run 'TestHand$$|TestRandom$$' -target=holt -datadriven-quiet \
	  -replies=$(or $(N),100000) -seed=$(or $(SEED),0)

test-kafka-on-holt: ## an Apache Kafka 3.9 cluster on three Holt members, killed and restarted; KAFKA_TARGET=zookeeper for the original
	$(GO) test -count 1 -timeout 6m -v ./compat/kafka -target=$(or $(KAFKA_TARGET),holt)

test-coordinators: ## what a broker asks of its coordination service: Holt over memory, then Holt and Apache ZooKeeper over TCP
	$(GO) test -count 1 -timeout 10m ./compat/brokersuite -target=holt
	$(GO) test -count 1 -timeout 10m ./compat/brokersuite -target=zookeeper -run Processes

bench-failover: ## how long 10,000 partitions on three brokers wait for a new controller; KAFKA_TARGET=zookeeper for the original
	$(GO) test -count 1 -timeout 5m -v ./compat/brokersuite -target=$(or $(KAFKA_TARGET),holt) -run TestFailover

test-kafka-clients: ## eleven Kafka clients, unmodified, against three brokers; installs them; CLIENTS=kcat,sarama for some, BROKERS=kafka for the original
	$(GO) test -count 1 -timeout 15m -v ./compat/kafkaclients -target=holt -run 'TestTable|TestClients|TestSecured|TestNearby' \
	  -brokers=$(or $(BROKERS),holt) -clients=$(CLIENTS) -page=$(abspath $(PAGE))

test-franz-go: ## the tests of franz-go's own package kgo against three brokers; BROKERS=kafka for the original
	$(GO) test -count 1 -timeout 25m -v ./compat/kafkaclients -target=holt -run TestFranzGo -brokers=$(or $(BROKERS),holt)

test-broker-kills: ## three brokers on three members, killed and paused under load, KILLS (10) times; BROKER=kafka for the original, SEED repeats
	$(GO) test -count 1 -timeout 120m -v ./compat/brokerkills -run TestBrokerKills -broker=$(or $(BROKER),holt) -kills=$(or $(KILLS),10) -seed=$(or $(SEED),0)

compare-operators: ## the AdminServer's documents and the metrics of Holt and of Apache ZooKeeper: names, types, statuses
	$(GO) test -count 1 -timeout 10m -v ./compat/operators -target=holt

bench-compare: ## Holt and Apache ZooKeeper under the same loads, about 25 minutes; ARGS="-only get,set -scale 0.2"
	$(GO) run ./compat/benchcompare $(ARGS)

bench-against: ## this Holt and an older one (COMMIT; the foundation's) under the same loads; the table says which figure is worse by more than 5 %
	$(GO) run ./compat/benchcompare -against $(or $(COMMIT),1ab3917) $(ARGS)

bench-tls: ## the server's CPU over TLS and without; fails above twice as much
	$(GO) test -count 1 -timeout 15m -v ./compat/tlscost -target=holt

profile-metrics: ## the share of the server's CPU that metrics take under loads; fails above 2 %
	$(GO) run ./compat/metricscost

bench-broker: ## Holt's broker and Apache Kafka under the same loads, about 15 minutes; ARGS="-only produce -scale 0.2"
	$(GO) run ./compat/benchbroker $(ARGS)

lint: ## formatting, vet, staticcheck, import lattice
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 $(PACKAGES)
	$(GO) test ./compat/policy

docs: ## rewrite the generated pages of docs/
	$(GO) test ./server/zoocfg ./broker/properties -run TestConfigurationPage -rewrite
	$(GO) test ./compat/page -run TestPage -rewrite

clean: ## remove what was built
	rm -rf bin .cache compat/.cache
