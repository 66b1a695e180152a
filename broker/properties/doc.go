// Package properties reads server.properties, and settings that override it, into a
// broker.Config, so that an existing Kafka configuration starts Holt's broker as it is.
//
//	server.properties ─▶ syntax ─▶ settings (package setting): checked ─▶ Config.Settings
//	name=value ───────────────▲      │                                └─▶ fields: listeners, TLS, SASL, ...
//	JAAS file ────────────────┘      └─▶ other keys of Kafka: a Note, or an Error if switched on
//
// Every key that a broker of Kafka 3.9 has is known and is one of
//
//   - a setting: listed by package setting, which is what the broker heeds or shows,
//   - for one listener: listener.name.NAME. before one of those that may differ by listener,
//   - noted: Holt has no use for it, and a Note says what happens instead,
//   - refused: it switches something on that Holt cannot do, and starting without it would
//     mislead, as with KRaft, Kerberos or classes to load; switched off it is fine.
//
// Settings that override win over the file; within a file the last line of a key
// counts.
//
// Differs from Kafka: a key that is not known is an error, with the nearest name that is,
// and not a setting for somebody's plug-in; files are UTF-8, not Latin-1. The only
// mechanism of SASL on the listener between brokers is the one they use.
//
// The package has no state, reads files and does nothing else.
package properties
