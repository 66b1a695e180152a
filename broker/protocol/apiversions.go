package protocol

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
)

// Feature is a cluster-wide switch with versions.
type Feature struct {
	Name     string
	Min, Max int16
}

// Features are announced in ApiVersions from version 3 on.
type Features struct {
	Supported []Feature
	// Epoch counts changes of Finalized; with FinalizedUnknown it is not known.
	Epoch            int64
	Finalized        []Feature
	FinalizedUnknown bool
}

// AnswerApiVersions answers an ApiVersions request. A version that is not served gets
// error 35 in the form of version 0, with the versions of ApiVersions itself, from
// which the client goes on (KIP-511); an implausible software name or version,
// INVALID_REQUEST. The error return is for a body that cannot be read.
func (t *Table) AnswerApiVersions(version int16, body []byte, f Features) (*kmsg.ApiVersionsResponse, error) {
	resp := kmsg.NewPtrApiVersionsResponse()
	if !t.Serves(ApiVersions, version) {
		resp.ErrorCode = int16(kerror.UnsupportedVersion)
		resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: int16(ApiVersions), MaxVersion: max(t.Max(ApiVersions), 0)}}
		return resp, nil
	}
	resp.Version = version
	decoded, err := Decode(ApiVersions, version, body)
	if err != nil {
		return nil, err
	}
	req := decoded.(*kmsg.ApiVersionsRequest)
	if version >= 3 && !(plausibleSoftware(req.ClientSoftwareName) && plausibleSoftware(req.ClientSoftwareVersion)) {
		resp.ErrorCode = int16(kerror.InvalidRequest)
		return resp, nil
	}
	for _, v := range t.All() {
		resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: int16(v.Key), MinVersion: v.Min, MaxVersion: v.Max})
	}
	addFeatures(resp, version, f)
	return resp, nil
}

func addFeatures(resp *kmsg.ApiVersionsResponse, version int16, f Features) {
	for _, s := range f.Supported {
		if s.Min == 0 && version < 4 {
			continue // older clients take a least version of 0 for an error (KAFKA-17011)
		}
		resp.SupportedFeatures = append(resp.SupportedFeatures, kmsg.ApiVersionsResponseSupportedFeature{
			Name: s.Name, MinVersion: s.Min, MaxVersion: s.Max})
	}
	if f.FinalizedUnknown {
		return // the default is an epoch of -1
	}
	resp.FinalizedFeaturesEpoch = f.Epoch
	for _, s := range f.Finalized {
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, kmsg.ApiVersionsResponseFinalizedFeature{
			Name: s.Name, MinVersionLevel: s.Min, MaxVersionLevel: s.Max})
	}
}

// plausibleSoftware reports whether s is letters and digits, between which there
// may be dots and dashes.
func plausibleSoftware(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case (c == '-' || c == '.') && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}
