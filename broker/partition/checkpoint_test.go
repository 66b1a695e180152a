package partition

import "testing"

// TestEmptyCheckpoints: Kafka makes its checkpoints empty before it first writes them.
func TestEmptyCheckpoints(t *testing.T) {
	if o, err := decodeOffsets(nil); err != nil || len(o) != 0 {
		t.Error(o, err)
	}
	if e, err := decodeEpochs(nil); err != nil || len(e) != 0 {
		t.Error(e, err)
	}
	if _, err := decodeOffsets([]byte("0")); err == nil {
		t.Error("one that is cut short is taken")
	}
}
