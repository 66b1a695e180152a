package zoocfg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// property is one setting as written, and where.
type property struct {
	file  string
	line  int // of its first character; 0 for a -D setting
	key   string
	value string
	// stray marks a setting from a place that holds other programs' settings
	// too, and without ZooKeeper's prefix: that it is unknown is no mistake.
	stray bool
}

// parseProperties reads the syntax of java.util.Properties: comments begin with
// # or !, a backslash at the end of a line continues it, a key ends at =, : or
// blank, and backslash escapes are undone. Key and value are trimmed. The error
// joins an *Error for each line that cannot be read, which is left out.
func parseProperties(file string, text string) ([]property, error) {
	var props []property
	var errs []error
	text = strings.TrimPrefix(text, "\ufeff") // editors of Windows put it there
	for rest, number := text, 1; rest != ""; {
		logical, lines, tail := cutLogicalLine(rest)
		if logical != "" {
			key, value, err := cutProperty(logical)
			if err != nil {
				errs = append(errs, &Error{File: file, Line: number, Cause: err.Error(),
					Remedy: `write \\ for a backslash`})
			} else {
				props = append(props, property{file: file, line: number, key: key, value: value})
			}
		}
		rest, number = tail, number+lines
	}
	return props, errors.Join(errs...)
}

// cutLogicalLine takes one logical line off text: "" for a comment or blank
// one. lines counts the natural lines it was made of.
func cutLogicalLine(text string) (logical string, lines int, tail string) {
	var b strings.Builder
	for {
		line, rest := cutLine(text)
		lines++
		line = strings.TrimLeft(line, " \t\f")
		if b.Len() == 0 && (line == "" || line[0] == '#' || line[0] == '!') {
			return "", lines, rest
		}
		backslashes := len(line) - len(strings.TrimRight(line, `\`))
		if backslashes%2 == 0 {
			b.WriteString(line)
			return b.String(), lines, rest
		}
		b.WriteString(line[:len(line)-1])
		if rest == "" {
			return b.String(), lines, ""
		}
		text = rest
	}
}

// cutLine takes one natural line off text, which ends in \n, \r or both.
func cutLine(text string) (line, rest string) {
	end := strings.IndexAny(text, "\r\n")
	if end < 0 {
		return text, ""
	}
	line, rest = text[:end], text[end+1:]
	if text[end] == '\r' {
		rest = strings.TrimPrefix(rest, "\n")
	}
	return line, rest
}

func cutProperty(line string) (key, value string, err error) {
	end := 0
	for end < len(line) && !strings.ContainsRune("=: \t\f", rune(line[end])) {
		if line[end] == '\\' {
			end++ // whatever follows belongs to the key
		}
		end++
	}
	end = min(end, len(line))
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = rest[1:]
	}
	if key, err = unescape(line[:end]); err != nil {
		return "", "", err
	}
	if value, err = unescape(strings.TrimLeft(rest, " \t\f")); err != nil {
		return "", "", err
	}
	return strings.TrimSpace(key), strings.TrimSpace(value), nil
}

// unescape undoes \t, \n, \r, \f and \uXXXX; before any other character the
// backslash is dropped.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b = append(b, '\t')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 'f':
			b = append(b, '\f')
		case 'u':
			code, err := strconv.ParseUint(s[i+1:min(i+5, len(s))], 16, 16)
			if err != nil || len(s) < i+5 {
				return "", fmt.Errorf(`\u is not followed by four hexadecimal digits`)
			}
			b = utf8.AppendRune(b, rune(code))
			i += 4
		default:
			b = append(b, s[i])
		}
	}
	return string(b), nil
}

// Values are the settings of a file as they are written, by key, the last of
// each: for tools that look for one and leave the judgement to Read. Lines that
// cannot be read are left out. The error is an *Error about the file.
func Values(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{File: path, Cause: "cannot be read: " + causeOf(err)}
	}
	props, _ := parseProperties(path, string(text))
	values := map[string]string{}
	for _, p := range props {
		values[p.key] = p.value
	}
	return values, nil
}

// MyID is the number in the file myid of a data directory, as it is written.
func MyID(dataDir string) (string, error) {
	name := filepath.Join(dataDir, "myid")
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(text))
	if _, err := strconv.ParseUint(id, 10, 64); err != nil {
		return "", &Error{File: name, Line: 1, Cause: fmt.Sprintf("%q is not a number", shorten(id))}
	}
	return id, nil
}
