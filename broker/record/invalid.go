package record

import (
	"fmt"

	"holt/broker/kerror"
)

// Invalid is why produced batches were refused. It is an outcome, told to the client, and no Go
// error.
type Invalid struct {
	Code kerror.Code
	// Message says what is wrong in the words of the response's error_message.
	Message string
	// Records are the records to blame, if it is single ones: record_errors of Produce v8. There
	// are no more than recordErrorsMax.
	Records []RecordError
}

// RecordError blames one record of the refused batch.
type RecordError struct {
	Index   int32 // the how manieth of the batch, from 0
	Message string
}

// recordErrorsMax bounds the answer to a batch of thousands of bad records.
const recordErrorsMax = 100

func (i *Invalid) String() string {
	if len(i.Records) == 0 {
		return fmt.Sprintf("%v: %s", i.Code, i.Message)
	}
	r := i.Records[0]
	return fmt.Sprintf("%v: %s (%d, the first at %d: %s)", i.Code, i.Message, len(i.Records), r.Index, r.Message)
}

func invalid(c kerror.Code, format string, args ...any) *Invalid {
	return &Invalid{Code: c, Message: fmt.Sprintf(format, args...)}
}
