package gssapi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	krb5 "github.com/jcmturner/gokrb5/v8/gssapi"

	"holt/sasl"
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

// ticket is one for the service, with what belongs to it.
type ticket struct {
	ticket messages.Ticket
	key    types.EncryptionKey
	name   types.PrincipalName // the client's
	realm  string
}

// NewClient makes the client's side of a login at the service, as zookeeper/host. It asks the KDC
// for a ticket, which may take as long as the KDC does.
func NewClient(c Credentials, service string) (sasl.Client, error) {
	t, err := c.ticket(service)
	if err != nil {
		return nil, err
	}
	return newInitiation(t, true)
}

func (c Credentials) ticket(service string) (t ticket, err error) {
	defer guard(&err)
	conf, err := config.Load(c.Krb5Conf)
	if err != nil {
		return ticket{}, fmt.Errorf("read %s: %w", c.Krb5Conf, err)
	}
	cl, err := c.client(conf)
	if err != nil {
		return ticket{}, err
	}
	defer cl.Destroy()
	t.ticket, t.key, err = cl.GetServiceTicket(service)
	if err != nil {
		return ticket{}, fmt.Errorf("ticket for %s: %w", service, err)
	}
	t.name, t.realm = cl.Credentials.CName(), cl.Credentials.Domain()
	return t, nil
}

func (c Credentials) client(conf *config.Config) (*client.Client, error) {
	if c.Cache != "" {
		cache, err := credentials.LoadCCache(c.Cache)
		if err != nil {
			return nil, fmt.Errorf("read ticket cache %s: %w", c.Cache, err)
		}
		cl, err := client.NewFromCCache(cache, conf, client.DisablePAFXFAST(true))
		if err != nil {
			return nil, fmt.Errorf("ticket cache %s: %w", c.Cache, err)
		}
		return cl, nil
	}
	keys, err := keytab.Load(c.Keytab)
	if err != nil {
		return nil, fmt.Errorf("read keytab: %w", err)
	}
	name, realm := types.ParseSPNString(c.Principal)
	if realm == "" {
		realm = conf.LibDefaults.DefaultRealm
	}
	cl := client.NewWithKeytab(name.PrincipalNameString(), realm, keys, conf, client.DisablePAFXFAST(true))
	if err := cl.Login(); err != nil {
		return nil, fmt.Errorf("log in as %s: %w", c.Principal, err)
	}
	return cl, nil
}

// initiation is the client's side.
type initiation struct {
	ticket  ticket
	mutual  bool
	auth    types.Authenticator
	sealing sealing
	step    int
}

func newInitiation(t ticket, mutual bool) (*initiation, error) {
	if !strong(t.key.KeyType) {
		return nil, fmt.Errorf("a key of encryption type %d: only those of AES are known", t.key.KeyType)
	}
	auth, err := types.NewAuthenticator(t.realm, t.name)
	if err != nil {
		return nil, fmt.Errorf("make authenticator: %w", err)
	}
	asked := uint32(krb5.ContextFlagInteg)
	if mutual {
		asked |= krb5.ContextFlagMutual
	}
	sum := make([]byte, 24)
	binary.LittleEndian.PutUint32(sum, 16) // the length of the channel bindings, which are none
	binary.LittleEndian.PutUint32(sum[20:], asked)
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: sum}
	return &initiation{ticket: t, mutual: mutual, auth: auth, sealing: sealing{key: t.key, seq: uint64(auth.SeqNumber)}}, nil
}

func (c *initiation) Step(challenge []byte) (token []byte, done bool, err error) {
	defer guard(&err)
	c.step++
	if c.step > 1 && !c.mutual {
		c.step++ // there is no AP-REP
	}
	switch c.step {
	case 1:
		token, err = c.request()
		return token, false, err
	case 2:
		return []byte{}, false, c.believe(challenge)
	case 3:
		token, err = c.choose(challenge)
		return token, err == nil, err
	}
	return nil, false, sasl.ErrOver
}

func (c *initiation) request() ([]byte, error) {
	req, err := messages.NewAPReq(c.ticket.ticket, c.ticket.key, c.auth)
	if err != nil {
		return nil, err
	}
	if c.mutual {
		types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	}
	b, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	return frame(tokenAPReq, b)
}

// believe sees by the AP-REP that the server could open the ticket.
func (c *initiation) believe(challenge []byte) error {
	b, err := unframe(tokenAPRep, challenge)
	if err != nil {
		return err
	}
	var rep messages.APRep
	if err := rep.Unmarshal(b); err != nil {
		return fmt.Errorf("AP-REP: %w", err)
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, c.ticket.key, keyusage.AP_REP_ENCPART)
	if err != nil {
		return fmt.Errorf("AP-REP: %w", err)
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return fmt.Errorf("AP-REP: %w", err)
	}
	if part.CTime.Unix() != c.auth.CTime.Unix() || part.Cusec != c.auth.Cusec {
		return errors.New("AP-REP: it answers another request")
	}
	if len(part.Subkey.KeyValue) > 0 {
		c.sealing.key, c.sealing.subkey = part.Subkey, true
	}
	return nil
}

// choose takes no security layer, and asks to be nobody else.
func (c *initiation) choose(challenge []byte) ([]byte, error) {
	offer, err := c.sealing.unwrap(challenge)
	if err != nil {
		return nil, err
	}
	if len(offer) != 4 || offer[0]&layerNone == 0 {
		return nil, errors.New("the server insists on a security layer")
	}
	return c.sealing.wrap(bytes.Join([][]byte{{layerNone, 0, 0, 0}, []byte(c.ticket.name.PrincipalNameString() + "@" + c.ticket.realm)}, nil))
}
