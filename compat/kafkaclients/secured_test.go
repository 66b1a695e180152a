package kafkaclients

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"holt/compat/ensemble"
	"holt/compat/kafka"
	"holt/compat/target"
)

// way is how a client connects: by a listener, and by a mechanism where that has SASL.
type way struct{ listener, mechanism string }

func (w way) String() string { return strings.Trim(w.listener+" "+w.mechanism, " ") }

// name is for topics.
func (w way) name() string {
	return strings.ToLower(strings.NewReplacer(" ", "-", "_", "-").Replace(w.String()))
}

func (w way) tls() bool {
	return w.listener == "SSL" || w.listener == "MTLS" || w.listener == "SASL_SSL"
}

// protocol is what clients call it.
func (w way) protocol() string { return strings.Replace(w.listener, "MTLS", "SSL", 1) }

var ways = []way{
	{"SSL", ""}, {"MTLS", ""}, {"SASL_PLAINTEXT", "PLAIN"}, {"SASL_PLAINTEXT", "SCRAM-SHA-256"}, {"SASL_SSL", "PLAIN"}, {"SASL_SSL", "SCRAM-SHA-512"},
}

const (
	alice         = "alice"
	alicePassword = "alice's secret"
	perWay        = 20
)

// secured is three brokers that have all listeners, talk to each other over SASL_SSL, and ask an authorizer.
type secured struct {
	t     *testing.T
	c     *kafka.Cluster
	certs *certificates
	at    map[string][]string // addresses by listener
	java  *kafka.Installation
}

// TestSecured has a client in Java, one of librdkafka and one in Go write and read over TLS, with and without
// certificates of their own, and by SASL; wrong passwords, strangers and other people's topics are refused.
func TestSecured(t *testing.T) {
	s := startSecured(t)
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			for client, roundTrip := range map[string]func(*testing.T, way, string) []string{"java": s.javaClient, "kcat": s.kcat, "franz-go": s.franz} {
				t.Run(client, func(t *testing.T) {
					topic := "ours-" + client + "-" + w.name()
					s.create(topic)
					if got := roundTrip(t, w, topic); !slices.Equal(got, values()) {
						t.Errorf("read %q", got)
					}
				})
			}
		})
	}
	t.Run("refused", s.refused)
}

func values() (all []string) {
	for i := range perWay {
		all = append(all, fmt.Sprintf("value-%02d", i))
	}
	return all
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{t: t, certs: makeCertificates(t), at: map[string][]string{}}
	java, err := kafka.Load(t.Context())
	check(t, err)
	s.java = java
	target.Require(t, target.Tool{Check: []string{"kcat", "-V"}, Package: "kcat"})
	s.c = brokers(t, kafka.Config{Lines: s.lines})
	adm := kadm.NewClient(s.client(t, way{"PLAINTEXT", ""}))
	for _, m := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		altered, err := adm.AlterUserSCRAMs(within(t, 30*time.Second), nil, []kadm.UpsertSCRAM{{User: alice, Mechanism: m, Iterations: 4096, Password: alicePassword}})
		check(t, errors.Join(err, altered.Error()))
	}
	allow := func() *kadm.ACLBuilder {
		return kadm.NewACLs().Allow("User:"+alice, "User:CN=bob").ResourcePatternType(kadm.ACLPatternPrefixed)
	}
	for _, b := range []*kadm.ACLBuilder{
		allow().Topics("ours-").Operations(kadm.OpRead, kadm.OpWrite, kadm.OpDescribe), allow().Groups("ours-").Operations(kadm.OpRead),
	} {
		created, err := adm.CreateACLs(within(t, 30*time.Second), b)
		check(t, err)
		for _, c := range created {
			check(t, c.Err)
		}
	}
	return s
}

// lines are what a broker's server.properties says of its listeners: each broker has its certificate in another
// form.
func (s *secured) lines(b *kafka.Broker) []string {
	ports, err := ensemble.FreePorts(4)
	check(s.t, err)
	listeners := []string{"PLAINTEXT://" + b.Addr()}
	for i, name := range []string{"SSL", "MTLS", "SASL_PLAINTEXT", "SASL_SSL"} {
		at := fmt.Sprintf("127.0.0.1:%d", ports[i])
		s.at[name] = append(s.at[name], at)
		listeners = append(listeners, name+"://"+at)
	}
	s.at["PLAINTEXT"] = append(s.at["PLAINTEXT"], b.Addr())
	kind := []string{"PEM", "PKCS12", "JKS"}[b.ID()-1]
	ending := map[string]string{"PEM": "pem", "PKCS12": "p12", "JKS": "jks"}[kind]
	lines := []string{
		"listeners=" + strings.Join(listeners, ","),
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,MTLS:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
		"inter.broker.listener.name=SASL_SSL", "sasl.mechanism.inter.broker.protocol=PLAIN", "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		"ssl.keystore.type=" + kind, "ssl.keystore.location=" + s.certs.path("broker."+ending),
		"ssl.truststore.type=" + kind, "ssl.truststore.location=" + s.certs.path(map[string]string{"PEM": "ca.pem", "PKCS12": "trust.p12", "JKS": "trust.jks"}[kind]),
		"listener.name.mtls.ssl.client.auth=required",
		"authorizer.class.name=kafka.security.authorizer.AclAuthorizer", "super.users=User:broker;User:ANONYMOUS",
	}
	if kind != "PEM" {
		lines = append(lines, "ssl.keystore.password="+storePassword, "ssl.key.password="+storePassword, "ssl.truststore.password="+storePassword)
	}
	for _, listener := range []string{"sasl_plaintext", "sasl_ssl"} {
		lines = append(lines,
			fmt.Sprintf(`listener.name.%s.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="of brokers" user_broker="of brokers" user_%s="%s";`, listener, alice, alicePassword),
			fmt.Sprintf("listener.name.%s.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;", listener),
			fmt.Sprintf("listener.name.%s.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;", listener))
	}
	return lines
}

func (s *secured) create(topic string) {
	s.t.Helper()
	created, err := kadm.NewClient(s.client(s.t, way{"PLAINTEXT", ""})).CreateTopic(within(s.t, 30*time.Second), 1, 3, nil, topic)
	check(s.t, errors.Join(err, created.Err))
	check(s.t, s.c.InSync(within(s.t, 30*time.Second), topic))
}

func (s *secured) bootstrap(w way) string { return strings.Join(s.at[w.listener], ",") }

// client is one in Go.
func (s *secured) client(t *testing.T, w way, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(s.at[w.listener]...)}, opts...)
	if w.tls() {
		opts = append(opts, kgo.DialTLSConfig(s.tlsConfig(t, w)))
	}
	var m sasl.Mechanism
	switch w.mechanism {
	case "PLAIN":
		m = plain.Auth{User: alice, Pass: alicePassword}.AsMechanism()
	case "SCRAM-SHA-256":
		m = scram.Auth{User: alice, Pass: alicePassword}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		m = scram.Auth{User: alice, Pass: alicePassword}.AsSha512Mechanism()
	}
	if m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	cl, err := kgo.NewClient(opts...)
	check(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func (s *secured) tlsConfig(t *testing.T, w way) *tls.Config {
	t.Helper()
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	ca, err := os.ReadFile(s.certs.path("ca.pem"))
	check(t, err)
	cfg.RootCAs.AppendCertsFromPEM(ca)
	if w.listener == "MTLS" {
		cert, err := tls.LoadX509KeyPair(s.certs.path("client-cert.pem"), s.certs.path("client-key.pem"))
		check(t, err)
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg
}

func (s *secured) franz(t *testing.T, w way, topic string) (got []string) {
	ctx := within(t, 30*time.Second)
	cl := s.client(t, w, kgo.ConsumerGroup("ours-"+topic), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()))
	for _, v := range values() {
		check(t, cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr())
	}
	for len(got) < perWay {
		f := cl.PollFetches(ctx)
		check(t, errors.Join(f.Err(), context.Cause(ctx)))
		f.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	return got
}

// settings are those of the client in Java, or of librdkafka, which has other names for some.
func (s *secured) settings(w way, java bool, password string) []string {
	lines := []string{"security.protocol=" + w.protocol(), "enable.idempotence=false"}
	switch {
	case java && w.tls():
		lines = append(lines, "ssl.truststore.type=PKCS12", "ssl.truststore.location="+s.certs.path("trust.p12"), "ssl.truststore.password="+storePassword)
		if w.listener == "MTLS" {
			lines = append(lines, "ssl.keystore.type=PKCS12", "ssl.keystore.location="+s.certs.path("client.p12"), "ssl.keystore.password="+storePassword)
		}
	case w.tls():
		lines = append(lines, "ssl.ca.location="+s.certs.path("ca.pem"))
		if w.listener == "MTLS" {
			lines = append(lines, "ssl.certificate.location="+s.certs.path("client-cert.pem"), "ssl.key.location="+s.certs.path("client-key.pem"))
		}
	}
	switch {
	case w.mechanism == "":
	case !java:
		lines = append(lines, "sasl.mechanism="+w.mechanism, "sasl.username="+alice, "sasl.password="+password)
	default:
		class := "org.apache.kafka.common.security.plain.PlainLoginModule"
		if w.mechanism != "PLAIN" {
			class = "org.apache.kafka.common.security.scram.ScramLoginModule"
		}
		lines = append(lines, "sasl.mechanism="+w.mechanism, fmt.Sprintf(`sasl.jaas.config=%s required username="%s" password="%s";`, class, alice, password))
	}
	return lines
}

func (s *secured) javaClient(t *testing.T, w way, topic string) []string {
	file := filepath.Join(t.TempDir(), "client.properties")
	check(t, os.WriteFile(file, []byte(strings.Join(s.settings(w, true, alicePassword), "\n")+"\n"), 0o600))
	cmd := s.java.Tool(within(t, time.Minute), "kafka-console-producer", "--bootstrap-server", s.bootstrap(w), "--topic", topic, "--producer.config", file)
	run(t, cmd, strings.Join(values(), "\n")+"\n")
	cmd = s.java.Tool(within(t, time.Minute), "kafka-console-consumer", "--bootstrap-server", s.bootstrap(w), "--topic", topic, "--group", "ours-"+topic,
		"--from-beginning", "--max-messages", fmt.Sprint(perWay), "--timeout-ms", "30000", "--consumer.config", file)
	return strings.Fields(run(t, cmd, ""))
}

func (s *secured) kcat(t *testing.T, w way, topic string) []string {
	args := s.kcatArgs(w, alicePassword)
	run(t, exec.CommandContext(within(t, time.Minute), "kcat", append(args, "-P", "-t", topic)...), strings.Join(values(), "\n")+"\n")
	return strings.Fields(run(t, exec.CommandContext(within(t, time.Minute), "kcat", append(args, "-C", "-t", topic, "-o", "beginning", "-e", "-q")...), ""))
}

func (s *secured) kcatArgs(w way, password string) []string {
	args := []string{"-b", s.bootstrap(w)}
	for _, line := range s.settings(w, false, password) {
		args = append(args, "-X", line)
	}
	return args
}

func run(t *testing.T, cmd *exec.Cmd, input string) string {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v\n%s%s", cmd.Args, err, tail(out.String()), tail(complaint.String()))
	}
	return out.String()
}

// refused: what must not work.
func (s *secured) refused(t *testing.T) {
	s.create("theirs")
	bare := func(t *testing.T, w way, at string) error { // as if the listener at were of the way w
		opts := []kgo.Opt{kgo.SeedBrokers(s.at[at]...), kgo.RequestRetries(0), kgo.RetryTimeout(5 * time.Second)}
		if w.tls() {
			opts = append(opts, kgo.DialTLSConfig(s.tlsConfig(t, w)))
		}
		cl, err := kgo.NewClient(opts...)
		check(t, err)
		defer cl.Close()
		return cl.Ping(within(t, 10*time.Second))
	}
	for name, err := range map[string]error{
		"in the clear to TLS":                bare(t, way{"PLAINTEXT", ""}, "SSL"),
		"TLS to what is in the clear":        bare(t, way{"SSL", ""}, "PLAINTEXT"),
		"no certificate where one is wanted": bare(t, way{"SSL", ""}, "MTLS"),
		"no SASL where it is wanted":         bare(t, way{"SSL", ""}, "SASL_SSL"),
	} {
		if err == nil {
			t.Errorf("%s: nothing is said against it", name)
		}
	}
	for _, w := range ways {
		if w.mechanism == "" {
			continue
		}
		out, err := exec.CommandContext(within(t, time.Minute), "kcat", append(s.kcatArgs(w, "wrong"), "-L", "-m", "5")...).CombinedOutput()
		if err == nil || !strings.Contains(strings.ToLower(string(out)), "authentication failed") {
			t.Errorf("%v with a wrong password: %v: %s", w, err, out)
		}
	}
	for _, w := range []way{{"SASL_SSL", "SCRAM-SHA-512"}, {"MTLS", ""}} {
		cl := s.client(t, w, kgo.DisableIdempotentWrite())
		if err := cl.ProduceSync(within(t, 20*time.Second), &kgo.Record{Topic: "theirs"}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("%v: to a topic of others: %v", w, err)
		}
	}
}
