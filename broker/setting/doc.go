// Package setting knows Kafka's settings: those of a broker and those of a topic,
// with type, range, default, what may change while a broker runs, and what
// each is for.
//
// Vocabulary. A broker setting is static in a broker's configuration file, and some
// may be overridden in the tree for one broker or for all (dynamic). A topic setting
// is made for one topic; where it is not made, its synonyms say what holds: broker
// settings, of which the first that was made counts, and the last one's default if
// none was.
//
//	                     topic's own        /config/topics/<t>             source 1
//	                          │ not made
//	synonyms, each:      broker's own       /config/brokers/<id>           source 2
//	                     all brokers'       /config/brokers/<default>      source 3
//	                     file               Config.Settings                source 4
//	                     default            this package                   source 5
//
// Values are text, as in the tree and in the protocol; Check says what is wrong with
// one. Layers looks values up through the layers of the drawing.
//
// The tables are constants: nothing here changes, so all of it may be used by any
// goroutine. A setting that is listed is one that the broker heeds, or that it has a
// good reason to show (tools look for it); its Doc says so.
//
// Left out: settings of features that are not there (tiered storage, KRaft,
// Kerberos, delegation tokens, metrics reporters), and what they mean to the other
// packages.
package setting
