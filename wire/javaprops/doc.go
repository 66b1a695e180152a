// Package javaprops reads Java's .properties text, in which zoo.cfg, server.properties,
// dynamic configurations and the configurations of clients are written, and has the words in
// which their readers report: an Error or a Note about a line, the nearest name that is known.
//
//	# comment        ! comment
//	key = value      separators: = or : with blanks around it, or blanks alone
//	key = first,\
//	      second     a backslash at the end continues a line; blanks that begin the next are dropped
//	a\ key = \u00fc  \t \n \r \f \uXXXX; before any other character a backslash is dropped
//
// A natural line ends at \n, \r, \r\n or the end of the text. A logical line is one, or
// several that backslashes put together; each that is neither blank nor a comment is a
// Property. (java.util.Properties.load)
//
// Differs from Java: text is UTF-8 rather than Latin-1, and a byte order mark at its begin,
// as editors of Windows put it there, is passed over; a backslash alone in the last line is
// nothing, while Java makes a setting of it that has neither name nor value.
//
// The packages there are for this format drop the lines that settings stand in, which a
// complaint about a configuration must name; that is why it is read here.
//
// Everything here is a pure function. Left out: writing, the XML form, and ${...}, which
// Java does not have either.
package javaprops
