# Short names for the checks that contributors run; .ci/run runs all of them.
SERVERS := ../ci/servers
GOTEST  := go test -count=1 -timeout=40m
# REQUIRED: these targets start the servers, so a test without its server fails.
REQUIRED := TOKENSTORE_INTEGRATION=required

.PHONY: test race lint format tidy vet fuzz readme bench check integration integration-localstack integration-vault integration-openbao integration-mysql integration-sdk integration-faults integration-containers

test: ## the unit tests: no network, no container
	go test ./...

race: ## with the race detector; single-goroutine tests are skipped
	go test -race -short ./...

vet: ## go vet in every module, for every operating system
	ci/vet.sh

lint: ## golangci-lint in every module; builds it the first time
	ci/tools.sh
	PATH="$$(ci/tools.sh --folder):$$PATH" ci/lint.sh

format: ## gofmt -l, bash -n
	ci/format.sh

tidy: ## go mod tidy -diff in every module
	ci/tidy.sh

readme: ## check that the README's commands print what it shows
	ci/readme.sh

fuzz: ## every fuzz target for a minute; FUZZTIME=10s for less
	ci/fuzz.sh $(or $(FUZZTIME),60s)

bench: ## measure everything, and write docs/benchmarks.md; about five minutes on an idle machine
	ci/servers/sdk.sh go run -C bench .

integration: ## all integration tests on servers started here
	cd integration && $(REQUIRED) $(SERVERS)/localstack.sh $(SERVERS)/vault.sh $(SERVERS)/mariadb.sh $(SERVERS)/sdk.sh $(GOTEST) -p=1 ./...

integration-localstack: ## AWS Secrets Manager on LocalStack
	cd integration && $(REQUIRED) $(SERVERS)/localstack.sh $(GOTEST) ./aws/...

integration-vault: ## Vault; builds it the first time, about ten minutes
	cd integration && $(REQUIRED) $(SERVERS)/vault.sh $(GOTEST) ./vault/...

integration-openbao: ## Vault's tests on OpenBao
	cd integration && $(REQUIRED) $(SERVERS)/openbao.sh $(GOTEST) ./vault/...

integration-mysql: ## MariaDB; its tables shared with the Zoho SDKs
	cd integration && $(REQUIRED) $(SERVERS)/mariadb.sh $(SERVERS)/sdk.sh $(GOTEST) ./mysql/...

integration-sdk: ## the stores of the Zoho SDKs for Python and Node.js, and MariaDB for them
	cd integration && $(REQUIRED) $(SERVERS)/mariadb.sh $(SERVERS)/sdk.sh $(GOTEST) ./sdk/...

integration-faults: ## fleets of processes behind a bad network, killed processes and servers, and a soak of SOAK=2m
	cd integration && $(REQUIRED) $(SERVERS)/localstack.sh $(SERVERS)/vault.sh $(GOTEST) -v ./faults -faults.soak=$(or $(SOAK),2m)

# Skips the tests that need the vault binary or the Zoho SDKs. Unsets the variables that
# name a server, since the tests would use that instead of a container.
integration-containers: ## both servers in containers of their public images; needs Docker
	docker info >/dev/null
	cd integration && env -u VAULT_ADDR -u VAULT_TOKEN -u TOKENSTORE_TEST_AWS_ENDPOINT $(REQUIRED) \
		$(GOTEST) -p=1 -skip '^Test(VaultBinary|ZohoPython|ZohoNode|KilledServer|SealedServer|TooLarge|Settings|Kubernetes)$$' \
		./internal/need ./aws/... ./vault/... ./command/...

check: ## every check, as in CI
	.ci/run
