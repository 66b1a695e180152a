package znode

import (
	"strconv"
	"strings"
)

// The ip scheme as ZooKeeper's IPAuthenticationProvider reads it, which is not
// quite how net/netip does: decimal parts may have leading zeros or a sign, and
// there is neither a zone nor an IPv4 tail in an IPv6 address.

// ipBytes is an address of 4 or 16 bytes; n is 0 if the text is neither.
func ipBytes(s string) (b [16]byte, n int) {
	var ok bool
	switch {
	case strings.Contains(s, ":"):
		b, ok = parseV6(s)
		n = 16
	case strings.Contains(s, "."):
		b, ok = parseV4(s)
		n = 4
	}
	if !ok {
		n = 0
	}
	return b, n
}

func parseV4(s string) (b [16]byte, ok bool) {
	for i := range 4 {
		part, rest, more := strings.Cut(s, ".")
		v, err := strconv.ParseInt(part, 10, 32)
		if err != nil || v < 0 || v > 255 || more != (i < 3) {
			return b, false
		}
		b[i], s = byte(v), rest
	}
	return b, true
}

func parseV6(s string) (b [16]byte, ok bool) {
	head, tail, zeros := strings.Cut(s, "::")
	if strings.Contains(tail, "::") {
		return b, false
	}
	h, ok1 := v6Segments(head, b[:0:16], !zeros)
	var buf [16]byte
	t, ok2 := v6Segments(tail, buf[:0], false)
	if !ok1 || !ok2 {
		return b, false
	}
	if zeros && len(h)+len(t) >= 16 || !zeros && len(h) != 16 {
		return b, false
	}
	copy(b[16-len(t):], t)
	return b, true
}

// v6Segments appends the segments of s to b, which has room for eight.
func v6Segments(s string, b []byte, needed bool) ([]byte, bool) {
	if s == "" {
		return b, !needed
	}
	for {
		seg, rest, more := strings.Cut(s, ":")
		v, err := strconv.ParseInt(seg, 16, 32)
		if err != nil || len(seg) > 4 || len(b) == cap(b) {
			return b, false
		}
		b = append(b, byte(v>>8), byte(v))
		if !more {
			return b, true
		}
		s = rest
	}
}

// ipPrefix is an address with an optional number of leading bits that count.
func ipPrefix(s string) (b [16]byte, n, bits int) {
	addr, suffix, has := strings.Cut(s, "/")
	if b, n = ipBytes(addr); n == 0 {
		return b, 0, 0
	}
	bits = n * 8
	if has {
		v, err := strconv.ParseInt(suffix, 10, 32)
		if err != nil || v < 0 || int(v) > bits {
			return b, 0, 0
		}
		bits = int(v)
	}
	return b, n, bits
}

func validIPPrefix(s string) bool {
	_, n, _ := ipPrefix(s)
	return n != 0
}

// ipMatches reports whether address have lies in prefix want. Families never match each other.
func ipMatches(have, want string) bool {
	w, n, bits := ipPrefix(want)
	h, m := ipBytes(have)
	if n == 0 || n != m {
		return false
	}
	for i := 0; bits > 0; i, bits = i+1, bits-8 {
		mask := byte(0xff)
		if bits < 8 {
			mask <<= 8 - bits
		}
		if (w[i]^h[i])&mask != 0 {
			return false
		}
	}
	return true
}
