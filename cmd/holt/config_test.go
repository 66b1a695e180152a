package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/server/secure/securetest"
)

func TestConfigCheck(t *testing.T) {
	w := newWorld()
	name := w.file(t, sample)
	w.check(t, []string{"config", "check", name}, 0, name+":3: autopurge.purgeInterval: not needed", "")
	if got := w.stdout.String(); !strings.HasSuffix(got, name+": fine\n") {
		t.Errorf("ends with %q", got)
	}

	// All that is wrong at once: two lines, an unreadable one and a flag.
	w = newWorld()
	w.env["JVMFLAGS"] = "-Dzookeeper.snapCount=1"
	name = w.file(t, "dataDir=/d\ntickTme=1\nclientPort=x\ndataLogDir=\\u1\n")
	w.check(t, []string{"config", "check", name, "-D", "syncLimit=0"}, 2, "", "holt: the configuration was refused:\n"+
		name+`:4: \u is not followed by four hexadecimal digits; write \\ for a backslash`+"\n"+
		name+`:2: unknown key "tickTme"; did you mean tickTime?`+"\n"+
		name+":3: clientPort=x: not a whole number; mend the value, or remove the line for the default\n"+
		"JVMFLAGS: snapCount=1: not a number from 2 to 2147483647; mend the value, or remove the line for the default\n"+
		"-D: syncLimit=0: not a number from 1 to 2147483647; mend the value, or remove the line for the default\n")
	if strings.Contains(w.stderr.String(), "Try:") || w.stdout.Len() > 0 {
		t.Errorf("besides:\n%s%s", w.stderr.String(), w.stdout.String())
	}
	// A key store that does not open is found before a start and at it, and is no fault of the disk.
	name = newWorld().file(t, sample+"secureClientPort=1\nssl.clientAuth=none\nssl.keyStore.location=../../wire/keystore/testdata/key.jks\nssl.keyStore.password=wrong\n")
	for _, command := range []string{"config check", "serve"} {
		newWorld().check(t, append(strings.Fields(command), name), 2, "", "ssl.keyStore.location: key store ../../wire/keystore/testdata/key.jks: the password does not open it")
	}
	// A certificate that is over keeps nobody from starting, and is not called fine.
	over := securetest.Template("server")
	over.NotBefore, over.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	w = newWorld()
	name = w.file(t, sample+"secureClientPort=1\nssl.clientAuth=none\nssl.keyStore.location="+securetest.New(t, "ours").KeyStore(t, over)+"\n")
	w.check(t, []string{"config", "check", name}, 0, name+":6: ssl.keyStore.location: certificate CN=server,O=Holt is valid from ", "")
	if got := w.stdout.String(); !strings.HasSuffix(got, ", which is not now; renew it, or mend the clock\n"+name+": a member starts with it, and its certificate is refused by whoever looks at it\n") {
		t.Errorf("ends with %q", got)
	}
	w = newWorld()
	w.check(t, []string{"config", "check", "-o", "json", name}, 0, `"fine":false,"errors":[],`, "")
	for _, tc := range []struct{ args, stderr string }{
		{"config check no/such", "no/such: cannot be read: no such file or directory;"},
		{"config check a b", "takes at most 1 arguments"},
		{"config check -o xml a", "--output xml: not text or json"},
		{"config show no/such", "cannot be read"},
		{"config show -o xml a", "--output xml: not text or json"},
		{"config shwo", `unknown command "shwo"; did you mean show?`},
	} {
		newWorld().check(t, strings.Fields(tc.args), 2, "", tc.stderr)
	}
}

func TestConfigCheckJSON(t *testing.T) {
	type findings struct {
		File          string
		Fine          bool
		Errors, Notes []struct {
			File, Key, Text, Remedy string
			Line                    int
		}
	}
	check := func(text string, code int) (f findings) {
		t.Helper()
		w := newWorld()
		w.check(t, []string{"config", "check", "-o", "json", w.file(t, text)}, code, "", "")
		if err := json.Unmarshal(w.stdout.Bytes(), &f); err != nil {
			t.Fatalf("%v in %s", err, w.stdout.String())
		}
		return f
	}
	if f := check(sample, 0); !f.Fine || len(f.Errors) != 0 || len(f.Notes) != 1 || f.Notes[0].Key != "autopurge.purgeInterval" || f.Notes[0].Line != 3 {
		t.Errorf("a good file: %+v", f)
	}
	f := check("dataDir=/d\ntickTme=1\nclientPort=x\n", 2)
	if f.Fine || len(f.Errors) != 2 || f.Errors[0].Line != 2 || f.Errors[0].Remedy != "did you mean tickTime?" || f.Errors[1].Line != 3 || f.Errors[0].File != f.File {
		t.Errorf("a bad file: %+v", f)
	}
}

func TestConfigShow(t *testing.T) {
	w := newWorld()
	w.env["SERVER_JVMFLAGS"] = "-Djute.maxbuffer=4096"
	name := w.file(t, sample+"DigestAuthenticationProvider.superDigest=super:abc=\n")
	w.env["ZOOCFGDIR"] = filepath.Dir(name)
	w.check(t, []string{"config", "show", "--origin", "-DtickTime=10"}, 0, "", "")
	var got []string
	for _, line := range strings.Split(w.stdout.String(), "\n") {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		"dataDir /d " + name + ":1", "dataLogDir /d default", "tickTime 10 -D", "minSessionTimeout 20 default",
		"jute.maxbuffer 4096 SERVER_JVMFLAGS", "DigestAuthenticationProvider.superDigest ******** " + name + ":4", "myid 1 default",
	} {
		if !strings.Contains(strings.Join(got, "\n")+"\n", want+"\n") {
			t.Errorf("no line %q in\n%s", want, w.stdout.String())
		}
	}

	// Without origins it is a configuration file, which means the same.
	w = newWorld()
	name = w.file(t, sample)
	w.check(t, []string{"config", "show", name}, 0, "tickTime=3000\n", "")
	again := newWorld()
	again.check(t, []string{"config", "show", again.file(t, w.stdout.String())}, 0, w.stdout.String(), "")

	w = newWorld()
	w.check(t, []string{"config", "show", "--given", "-o", "json", name}, 0,
		`[{"key":"dataDir","value":"/d","origin":"`+name+`:1"},{"key":"clientPort","value":"2181","origin":"`+name+`:2"}]`+"\n", "")
}
