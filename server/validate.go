package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Validate reports everything that is wrong with c, once defaults are filled
// in: what Start would refuse. It touches neither disk nor network.
func (c Config) Validate() error { return c.withDefaults().validate() }

// validate checks a configuration made by withDefaults.
func (c Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	atLeast := func(name string, value, least int64) {
		if value < least {
			bad("%s is %d, the least is %d", name, value, least)
		}
	}
	if c.DataDir == "" {
		bad("DataDir is not set")
	}
	atLeast("FsyncWarnMillis", int64(c.FsyncWarnMillis), 1)
	atLeast("SnapCount", int64(c.SnapCount), 2)
	atLeast("CacheBytes", c.CacheBytes, 1<<20)
	atLeast("TickMillis", int64(c.TickMillis), 1)
	atLeast("InitLimit", int64(c.InitLimit), 1)
	atLeast("SyncLimit", int64(c.SyncLimit), 1)
	atLeast("MaxConns", int64(c.MaxConns), 0)
	atLeast("MaxFrame", int64(c.MaxFrame), 1024)
	atLeast("GlobalOutstandingLimit", int64(c.GlobalOutstandingLimit), 1)
	atLeast("RequestThrottleMax", int64(c.RequestThrottleMax), 0)
	atLeast("RequestThrottleStallMillis", int64(c.RequestThrottleStallMillis), 1)
	atLeast("ThrottledOpWaitMillis", int64(c.ThrottledOpWaitMillis), 0)
	atLeast("LargeRequestMaxBytes", int64(c.LargeRequestMaxBytes), 1)
	atLeast("ConnTokens", int64(c.ConnTokens), 0)
	atLeast("ConnTokenFill", int64(c.ConnTokenFill), 1)
	atLeast("ConnTokenFillMillis", int64(c.ConnTokenFillMillis), 1)
	atLeast("ContainerCheckMillis", int64(c.ContainerCheckMillis), 1)
	atLeast("ContainerMaxPerMinute", int64(c.ContainerMaxPerMinute), 1)
	atLeast("ContainerMaxNeverUsedMillis", int64(c.ContainerMaxNeverUsedMillis), 0)
	if c.MinSessionTimeoutMillis > c.MaxSessionTimeoutMillis {
		bad("MinSessionTimeoutMillis %d is greater than MaxSessionTimeoutMillis %d",
			c.MinSessionTimeoutMillis, c.MaxSessionTimeoutMillis)
	}
	atLeast("AuditFileBytes", c.AuditFileBytes, 0)
	atLeast("AuditFilesKept", int64(c.AuditFilesKept), 0)
	atLeast("AdminIdleTimeoutMillis", int64(c.AdminIdleTimeoutMillis), 1)
	if !strings.HasPrefix(c.AdminCommandURL, "/") || strings.HasSuffix(c.AdminCommandURL, "/") || strings.ContainsAny(c.AdminCommandURL, " {}") {
		bad("AdminCommandURL %q is not a path like /commands", c.AdminCommandURL)
	}
	if c.AdminTLS != AdminPlain && !c.TLS.Peers.Given() {
		bad("TLS for the AdminServer without a certificate: set ssl.quorum.keyStore.location")
	}
	if c.AdminTLS != AdminPlain && c.AdminNeedClientAuth && c.TLS.Peers.TrustStore.Location == "" {
		bad("certificates of the AdminServer's clients are asked for, and nobody says whose to believe: set ssl.quorum.trustStore.location")
	}
	if c.SuperDigest != "" && !strings.HasPrefix(c.SuperDigest, "super:") {
		bad("SuperDigest does not begin with super:")
	}
	for name, addr := range map[string]string{"ClientAddr": c.ClientAddr, "MetricsAddr": c.MetricsAddr, "AdminAddr": c.AdminAddr} {
		if err := validateAddr(addr); err != nil {
			bad("%s: %w", name, err)
		}
	}
	return errors.Join(append(errs, c.TLS.validate(), c.validatePeerLogin(), c.validateMembers())...)
}

func (c Config) validateMembers() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.MemberID < 1 || c.MemberID > MaxMemberID {
		bad("MemberID is %d, not 1 to %d", c.MemberID, MaxMemberID)
	}
	ids, addrs, voters := map[uint64]bool{}, map[string]uint64{}, 0
	for _, m := range c.Members {
		if m.ID < 1 || m.ID > MaxMemberID {
			bad("member id %d is not 1 to %d", m.ID, MaxMemberID)
		}
		if ids[m.ID] {
			bad("member %d is there twice", m.ID)
		}
		ids[m.ID] = true
		if err := validateAddr(m.PeerAddr); err != nil || m.PeerAddr == Off {
			bad("member %d: peer address %q is not host:port", m.ID, m.PeerAddr)
		}
		if other, ok := addrs[m.PeerAddr]; ok {
			bad("members %d and %d have the same peer address %s", other, m.ID, m.PeerAddr)
		}
		addrs[m.PeerAddr] = m.ID
		if !m.Observer {
			voters++
		}
	}
	if len(c.Members) > 0 && voters == 0 {
		bad("no member of %d can vote", len(c.Members))
	}
	if len(c.Members) > 0 && !ids[c.MemberID] {
		bad("member %d, which this is, is not among the %d members", c.MemberID, len(c.Members))
	}
	return errors.Join(errs...)
}

func validateAddr(addr string) error {
	if addr == Off {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q of %s is not 0 to 65535", port, addr)
	} else if n > 65535 {
		return fmt.Errorf("port %d of %s is not 0 to 65535", n, addr)
	}
	return nil
}
