package protocol

import "fmt"

// Header is a request's header.
type Header struct {
	Key           Key
	Version       int16
	CorrelationID int32
	// ClientID lies in the frame. Null and empty are the same to a broker.
	ClientID string
}

// ParseHeader cuts a frame into header and body. The header of an API or version
// that is not in this package's list is read as one without tags, so that it can
// still be named; with the error that is ErrMalformed, whatever could be read is
// returned for the log.
func ParseHeader(frame []byte) (h Header, body []byte, err error) {
	c := cursor{b: frame}
	h.Key, h.Version, h.CorrelationID = Key(c.int16()), c.int16(), c.int32()
	if h.Key == ControlledShutdown && h.Version == 0 {
		return h, c.b, c.wrap(h)
	}
	h.ClientID, _ = c.string(false)
	if h.Key.Flexible(h.Version) {
		c.tags(nil)
	}
	return h, c.b, c.wrap(h)
}

func (c *cursor) wrap(h Header) error {
	if c.bad {
		return fmt.Errorf("header of %s v%d: %w", h.Key, h.Version, ErrMalformed)
	}
	return nil
}

// AppendHeader writes a request's header, for whoever sends one. An empty client id
// goes out as null.
func AppendHeader(b []byte, h Header) []byte {
	b = appendInt16(b, int16(h.Key))
	b = appendInt16(b, h.Version)
	b = appendInt32(b, h.CorrelationID)
	if h.Key == ControlledShutdown && h.Version == 0 {
		return b
	}
	b = appendOptional(b, h.ClientID, false)
	return appendNoTags(b, h.Key.Flexible(h.Version))
}

// AppendResponseHeader writes a response's header: the correlation id, and empty
// tags if the response to a request of this key and version has them.
func AppendResponseHeader(b []byte, key Key, version int16, correlationID int32) []byte {
	b = appendInt32(b, correlationID)
	return appendNoTags(b, key.responseTags(version))
}

// ParseResponseHeader cuts a response's frame into correlation id and body.
func ParseResponseHeader(frame []byte, key Key, version int16) (correlationID int32, body []byte, err error) {
	c := cursor{b: frame}
	correlationID = c.int32()
	if key.responseTags(version) {
		c.tags(nil)
	}
	if c.bad {
		return 0, nil, fmt.Errorf("header of the response to %s v%d: %w", key, version, ErrMalformed)
	}
	return correlationID, c.b, nil
}

// BeginFrame appends room for a size; EndFrame fills it in with what was appended
// since, more bytes counting that follow from elsewhere.
func BeginFrame(b []byte) (frame []byte, mark int) { return append(b, 0, 0, 0, 0), len(b) }

// EndFrame completes what BeginFrame began at mark.
func EndFrame(b []byte, mark, more int) []byte {
	appendInt32(b[:mark], int32(len(b)-mark-4+more))
	return b
}
