// Package javaregexp reads what Java's java.util.regex has otherwise than Go's regexp, for the rules by which
// configurations map names: auth_to_local of zoo.cfg, ssl.principal.mapping.rules of server.properties.
//
// Patterns are given to Go's regexp as they are: what it does not know (look-around, back references) is an
// error there. Left out: groups with names in replacements.
package javaregexp
