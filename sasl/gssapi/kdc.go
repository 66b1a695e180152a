package gssapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Credentials say as whom a client shows itself, and where the KDC is.
type Credentials struct {
	// Krb5Conf is the path of krb5.conf.
	Krb5Conf string
	// Principal is user@REALM, or user/host@REALM; Keytab the path of the file with its keys.
	Principal, Keytab string
	// Cache is the path of a ticket cache, as kinit fills it, instead of these two.
	Cache string
}

// DefaultCache is the path at which kinit leaves its tickets for the user of this process.
func DefaultCache() string { return "/tmp/krb5cc_" + strconv.Itoa(os.Getuid()) }

// Check reports what can be seen to be wrong without a KDC: a keytab that cannot be read or has no key of the principal.
func (c Credentials) Check() error {
	if c.Cache != "" {
		return nil // it may be filled later
	}
	_, err := openKeytab(c.Keytab, c.Principal)
	return err
}

// ticket is one for the service, with what belongs to it.
type ticket struct {
	ticket messages.Ticket
	key    types.EncryptionKey
	name   types.PrincipalName // the client's
	realm  string
	end    time.Time
}

// errUnreachable: no KDC was asked, so that it may be asked again soon.
var errUnreachable = errors.New("no KDC can be reached")

// ticket asks the KDC. Once a KDC has taken the connection it has five seconds for each of three answers, whatever becomes
// of ctx: that is gokrb5's. All files are read anew, so that they may change.
func (c Credentials) ticket(ctx context.Context, service string) (t ticket, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("ticket for %s: %w", service, explain(err))
		}
	}()
	defer guard(&err)
	conf, err := config.Load(c.Krb5Conf)
	if err != nil {
		return ticket{}, fmt.Errorf("read %s: %w", c.Krb5Conf, err)
	}
	conf.LibDefaults.UDPPreferenceLimit = 1 // TCP, always
	g, err := c.granting(ctx, conf)
	if err != nil {
		return ticket{}, err
	}
	defer g.client.Destroy()
	name := types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, service)
	realm := cmp.Or(conf.ResolveRealm(name.NameString[len(name.NameString)-1]), g.realm)
	if realm != g.realm {
		into := types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", realm}}
		if t, err = g.ask(ctx, conf, into, g.realm, t); err != nil {
			return ticket{}, err
		}
	} else {
		t = g.ticket
	}
	return g.ask(ctx, conf, name, realm, t)
}

// granting is what tickets are granted for: the client's at the KDC itself.
type granting struct {
	client *client.Client
	ticket
}

// ask has the KDC of a realm grant a ticket for one that it gave.
func (g *granting) ask(ctx context.Context, conf *config.Config, service types.PrincipalName, realm string, by ticket) (ticket, error) {
	if err := reach(ctx, conf, realm); err != nil {
		return ticket{}, err
	}
	_, rep, err := g.client.TGSREQGenerateAndExchange(service, realm, by.ticket, by.key, false)
	if err != nil {
		return ticket{}, fmt.Errorf("KDC of %s: %w", realm, err)
	}
	return ticket{rep.Ticket, rep.DecryptedEncPart.Key, g.name, g.realm, rep.DecryptedEncPart.EndTime}, nil
}

// granting logs the client in at its KDC, or takes over that somebody did.
func (c Credentials) granting(ctx context.Context, conf *config.Config) (*granting, error) {
	if c.Cache != "" {
		return c.cached(conf)
	}
	keys, err := loadKeytab(c.Keytab)
	if err != nil {
		return nil, fmt.Errorf("read keytab: %w", err)
	}
	name, realm := types.ParseSPNString(c.Principal)
	realm = cmp.Or(realm, conf.LibDefaults.DefaultRealm)
	if err := reach(ctx, conf, realm); err != nil {
		return nil, err
	}
	cl := client.NewWithKeytab(name.PrincipalNameString(), realm, keys, conf, client.DisablePAFXFAST(true))
	req, err := messages.NewASReqForTGT(realm, conf, cl.Credentials.CName())
	if err != nil {
		return nil, fmt.Errorf("log in as %s: %w", c.Principal, err)
	}
	rep, err := cl.ASExchange(realm, req, 0)
	if err != nil {
		return nil, fmt.Errorf("log in as %s at the KDC of %s: %w", c.Principal, realm, err)
	}
	return &granting{cl, ticket{rep.Ticket, rep.DecryptedEncPart.Key, cl.Credentials.CName(), cl.Credentials.Domain(), rep.DecryptedEncPart.EndTime}}, nil
}

func (c Credentials) cached(conf *config.Config) (*granting, error) {
	cache, err := credentials.LoadCCache(c.Cache)
	if err != nil {
		return nil, fmt.Errorf("read ticket cache %s: %w; run kinit", c.Cache, err)
	}
	cl, err := client.NewFromCCache(cache, conf, client.DisablePAFXFAST(true))
	if err != nil {
		return nil, fmt.Errorf("ticket cache %s: %w; run kinit", c.Cache, err)
	}
	g := &granting{client: cl, ticket: ticket{name: cl.Credentials.CName(), realm: cl.Credentials.Domain()}}
	found, _ := cache.GetEntry(types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", g.realm}}) // or there were no client
	if g.end, g.key = found.EndTime, found.Key; time.Now().After(g.end) {
		return nil, fmt.Errorf("ticket cache %s: its ticket ended at %s; run kinit", c.Cache, g.end.Format(time.RFC3339))
	}
	if err := g.ticket.ticket.Unmarshal(found.Ticket); err != nil {
		return nil, fmt.Errorf("ticket cache %s: %w; run kinit", c.Cache, err)
	}
	return g, nil
}

// reachTimeout bounds the connecting to a KDC.
const reachTimeout = 5 * time.Second

// reach has conf name one KDC of a realm, the first that takes a connection. gokrb5 would try one after the other for five
// seconds each, and knows no context.
func reach(ctx context.Context, conf *config.Config, realm string) error {
	i := slices.IndexFunc(conf.Realms, func(r config.Realm) bool { return r.Realm == realm })
	if i < 0 {
		conf.Realms = append(conf.Realms, config.Realm{Realm: realm})
		i = len(conf.Realms) - 1
	}
	addrs, err := addrsOf(ctx, conf, &conf.Realms[i])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	type result struct {
		addr string
		err  error
	}
	results := make(chan result)
	for _, addr := range addrs {
		go func() {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err == nil {
				err = conn.Close()
			}
			results <- result{addr, err}
		}()
	}
	first, failed := "", []string(nil)
	for range addrs {
		if r := <-results; r.err != nil {
			failed = append(failed, r.err.Error())
		} else {
			first = cmp.Or(first, r.addr)
			cancel() // the others
		}
	}
	if first == "" {
		slices.Sort(failed)
		return fmt.Errorf("%w in realm %s: %s; see that it runs, and what krb5.conf has of it", errUnreachable, realm, strings.Join(failed, ", "))
	}
	conf.Realms[i].KDC = []string{first}
	return nil
}

func addrsOf(ctx context.Context, conf *config.Config, realm *config.Realm) ([]string, error) {
	if len(realm.KDC) > 0 {
		return realm.KDC, nil
	}
	if !conf.LibDefaults.DNSLookupKDC {
		return nil, fmt.Errorf("krb5.conf names no KDC of realm %s; add it to [realms]", realm.Realm)
	}
	_, found, err := net.DefaultResolver.LookupSRV(ctx, "kerberos", "tcp", realm.Realm)
	if err != nil {
		return nil, fmt.Errorf("%w in realm %s: %v; see the DNS, or add it to [realms] of krb5.conf", errUnreachable, realm.Realm, err)
	}
	var addrs []string
	for _, srv := range found {
		addrs = append(addrs, net.JoinHostPort(strings.TrimSuffix(srv.Target, "."), strconv.Itoa(int(srv.Port))))
	}
	return addrs, nil
}

// remedies are for what KDCs say, by the names of RFC 4120, 7.5.9, and for what gokrb5 does.
var remedies = []struct{ sign, remedy string }{
	{"KDC_ERR_C_PRINCIPAL_UNKNOWN", "make the client's principal at the KDC, or mend principal in the JAAS file"},
	{"KDC_ERR_S_PRINCIPAL_UNKNOWN", "make that principal at the KDC, or ask for the one that the server has"},
	{"KDC_ERR_PREAUTH_FAILED", "the keytab's key is out of date: export it anew"},
	{"KRB_AP_ERR_SKEW", "set the clocks of this host and of the KDC right"},
	{"KDC_ERR_ETYPE_NOSUPP", "give both principals keys of AES"},
	{"KDC_ERR_CLIENT_REVOKED", "have the KDC unlock the principal"},
	{"KDC_ERR_KEY_EXPIRED", "export the keytab anew"},
	{"KDC_ERR_NAME_EXP", "have the KDC prolong the principal"},
	{"matching key not found in keytab", "export the keytab anew"},
	{"Decrypting_Error", "the keytab's key is out of date: export it anew"},
}

// explain says what a KDC answered in one line, with what to do about it.
func explain(err error) error {
	text := err.Error()
	for _, r := range remedies {
		if !strings.Contains(text, r.sign) {
			continue
		}
		if before, said, ok := strings.Cut(text, "[Root cause:"); ok { // gokrb5's, all its layers
			if _, answer, ok := strings.Cut(said, "KRB Error: "); ok {
				said = answer
			} else {
				_, said, _ = strings.Cut(said, "] ")
			}
			text = before + said
		}
		return fmt.Errorf("%s; %s", strings.TrimSpace(text), r.remedy)
	}
	return err
}
