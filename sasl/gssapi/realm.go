package gssapi

import "strings"

// DefaultRealm is the realm that the text of a krb5.conf names as the default, "" if it names none.
func DefaultRealm(krb5Conf string) string {
	section := ""
	for line := range strings.Lines(krb5Conf) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if ok && section == "[libdefaults]" && strings.TrimSpace(key) == "default_realm" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
