package admin

import (
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// appendServer writes srvr.
func (w *Words) appendServer(b []byte, st *Status) []byte {
	return appendStatistics(w.appendHead(b, st), st)
}

// appendStat writes stat: srvr with a list of connections in it.
func (w *Words) appendStat(b []byte, st *Status) []byte {
	b = append(w.appendHead(b, st), "Clients:\n"...)
	b = append(w.appendConnections(b, true), '\n')
	return appendStatistics(b, st)
}

func (w *Words) appendHead(b []byte, st *Status) []byte {
	b = fmt.Appendf(b, "Zookeeper version: %s\n", w.version)
	if st.Mode == ReadOnly {
		b = append(b, "READ-ONLY mode; serving only read-only clients\n"...)
	}
	return b
}

func appendStatistics(b []byte, st *Status) []byte {
	b = fmt.Appendf(b, "Latency min/avg/max: %d/%s/%d\n", st.LatencyMin, javaDouble(st.latencyAvg()), st.LatencyMax)
	b = fmt.Appendf(b, "Received: %d\nSent: %d\nConnections: %d\nOutstanding: %d\n", st.Received, st.Sent, st.Connections, st.Outstanding)
	b = fmt.Appendf(b, "Zxid: 0x%x\nMode: %s\nNode count: %d\n", uint64(st.Zxid), st.Mode, st.Nodes)
	if st.Mode == Leader && st.Lead != nil {
		b = fmt.Appendf(b, "Proposal sizes last/min/max: %d/%d/%d\n", st.Lead.ProposalLast, st.Lead.ProposalMin, st.Lead.ProposalMax)
	}
	return b
}

// appendConnections writes a line per connection: the short form for stat, the
// long one for cons.
func (w *Words) appendConnections(b []byte, short bool) []byte {
	shown, total := 0, 0
	w.src.Connections(func(c *Connection) bool {
		if total++; total > ListMax {
			return true // counted, so that the last line tells how many
		}
		shown++
		b = appendConnection(b, c, short)
		return true
	})
	return appendCut(b, shown, total)
}

func appendConnection(b []byte, c *Connection, short bool) []byte {
	// The number in brackets is Java's interest in the socket: 1 is reading. A
	// connection that was asked a four-letter word is not read any more.
	interest := 1
	if c.Paused {
		interest = 0
	}
	b = fmt.Appendf(b, " /%s[%d](queued=%d,recved=%d,sent=%d", javaAddr(c.Remote), interest, c.Outstanding, c.Received, c.Sent)
	if short || c.Session == 0 {
		return append(b, ")\n"...)
	}
	op := "NA"
	if !c.NoOp {
		op = c.LastOp.ShortName()
	}
	b = fmt.Appendf(b, ",sid=0x%x,lop=%s,est=%d,to=%d", uint64(c.Session), op, c.Established.UnixMilli(), c.TimeoutMillis)
	if c.LastCxid >= 0 {
		b = fmt.Appendf(b, ",lcxid=0x%x", c.LastCxid)
	}
	avg := int64(0)
	if c.LatencyCount > 0 {
		avg = c.LatencySum / c.LatencyCount
	}
	return fmt.Appendf(b, ",lzxid=0x%x,lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d)\n",
		uint64(c.LastZxid), c.LastResponseMillis, c.LatencyLast, c.LatencyMin, avg, c.LatencyMax)
}

// appendConfig writes conf.
func appendConfig(b []byte, c *Config) []byte {
	line := func(key string, value any) { b = fmt.Appendf(b, "%s=%v\n", key, value) }
	line("clientPort", c.ClientPort)
	line("secureClientPort", c.SecureClientPort)
	line("dataDir", c.DataDir+"/version-2")
	line("dataDirSize", c.DataDirBytes)
	line("dataLogDir", c.LogDir+"/version-2")
	line("dataLogSize", c.LogDirBytes)
	line("tickTime", c.TickMillis)
	line("maxClientCnxns", c.MaxClientConns)
	line("minSessionTimeout", c.MinSessionMillis)
	line("maxSessionTimeout", c.MaxSessionMillis)
	line("clientPortListenBacklog", c.ListenBacklog)
	line("serverId", c.ServerID)
	e := c.Ensemble
	if e == nil {
		return b
	}
	peerType := 0
	if e.Observer {
		peerType = 1
	}
	line("initLimit", e.InitLimit)
	line("syncLimit", e.SyncLimit)
	line("electionAlg", 3)
	line("electionPort", e.ElectionPort)
	line("quorumPort", e.QuorumPort)
	line("peerType", peerType)
	return append(append(b, "membership: \n"...), e.Membership...)
}

func (st *Status) uptimeMillis() int64 { return time.Since(st.Started).Milliseconds() }

// latencyAvg is in ms.
func (st *Status) latencyAvg() float64 {
	if st.LatencyCount == 0 {
		return 0
	}
	return round4(float64(st.LatencySum) / float64(st.LatencyCount))
}

// round4 rounds to four decimals, halves upwards. It works on the float's exact
// decimal expansion, as Java's BigDecimal: the last digit is the original's.
func round4(f float64) float64 {
	scaled := new(big.Float).SetPrec(200).Mul(big.NewFloat(f), big.NewFloat(10000))
	whole, _ := scaled.Add(scaled, big.NewFloat(0.5)).Int64()
	return float64(whole) / 10000
}

// javaDouble formats as Java's Double.toString: never without a fraction, and
// with an exponent outside 10⁻³ to 10⁷.
func javaDouble(f float64) string {
	if f != 0 && (f < 1e-3 || f >= 1e7) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		exp, _ := strconv.Atoi(exponent) // FormatFloat writes a number there
		return mantissa + "E" + strconv.Itoa(exp)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// javaAddr rewrites the IPv6 address of [address]:port as Java prints it, all
// eight groups in full; anything else stays.
func javaAddr(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil || !ap.Addr().Is6() || ap.Addr().Is4In6() {
		return remote
	}
	raw, groups := ap.Addr().As16(), make([]string, 8)
	for i := range groups {
		groups[i] = strconv.FormatUint(uint64(raw[2*i])<<8|uint64(raw[2*i+1]), 16)
	}
	zone := ap.Addr().Zone()
	if zone != "" {
		zone = "%" + zone
	}
	return "[" + strings.Join(groups, ":") + zone + "]:" + strconv.Itoa(int(ap.Port()))
}
