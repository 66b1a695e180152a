package protocol

import (
	"bytes"
	"testing"
)

// FuzzRequests feeds frames to headers and decoders; what decodes as Produce or Fetch
// must encode to what kmsg makes of it.
func FuzzRequests(f *testing.F) {
	for version := int16(0); version <= 17; version++ {
		g := newGen(uint64(version))
		f.Add(AppendRequest(nil, 1, "c", g.fetchRequest(version))[4:])
		if version <= 11 {
			f.Add(AppendRequest(nil, 1, "c", g.produceRequest(version))[4:])
		}
	}
	var produce ProduceRequest
	var fetch FetchRequest
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseHeader(frame)
		if err != nil || !NewTable(h.Key).Serves(h.Key, h.Version) {
			return
		}
		k, kmsgErr := Decode(h.Key, h.Version, body)
		switch h.Key {
		case Produce:
			err = produce.Decode(h.Version, body)
			if err == nil && kmsgErr == nil && !bytes.Equal(kmsgOfProduce(&produce).AppendTo(nil), withoutTags(t, k)) {
				t.Errorf("Produce v%d decodes differently", h.Version)
			}
		case Fetch:
			err = fetch.Decode(h.Version, body)
			if err == nil && kmsgErr == nil {
				fetch.AppendTo(nil, 1, "c")
			}
		default:
			return
		}
		if err == nil && kmsgErr != nil || len(body) < 1000 && err != nil && kmsgErr == nil {
			t.Logf("%s v%d: %v here, %v there", h.Key, h.Version, err, kmsgErr)
		}
	})
}

// FuzzFetchResponse feeds bodies to the decoder of followers.
func FuzzFetchResponse(f *testing.F) {
	for version := int16(0); version <= 17; version++ {
		f.Add(version, newGen(uint64(version)).fetchResponse(version).AppendTo(nil))
	}
	var r FetchResponse
	var parts Parts
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < 0 || version > 17 {
			return
		}
		if r.Decode(version, body) != nil {
			return
		}
		parts.Reset()
		r.AppendTo(&parts, version, 1)
		if b, err := parts.AppendTo(nil); err != nil || len(b) != parts.Len() {
			t.Errorf("%d bytes of %d: %v", len(b), parts.Len(), err)
		}
	})
}
