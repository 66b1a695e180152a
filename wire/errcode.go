package wire

import "strconv"

// ErrCode is the outcome of a request as a client sees it. It is an error so
// that client code can return it; server code hands it on as a value, since an
// outcome is not a failure. OK is not an error: use Err to convert.
type ErrCode int32

// The codes of ZooKeeper's KeeperException.Code. Those marked local are made up
// by client libraries and never sent.
const (
	OK                              ErrCode = 0
	ErrSystemError                  ErrCode = -1
	ErrRuntimeInconsistency         ErrCode = -2 // in a failed multi: the operations after the failing one
	ErrDataInconsistency            ErrCode = -3
	ErrConnectionLoss               ErrCode = -4 // local
	ErrMarshallingError             ErrCode = -5
	ErrUnimplemented                ErrCode = -6
	ErrOperationTimeout             ErrCode = -7 // local
	ErrBadArguments                 ErrCode = -8
	ErrUnknownSession               ErrCode = -12
	ErrNewConfigNoQuorum            ErrCode = -13
	ErrReconfigInProgress           ErrCode = -14
	ErrAPIError                     ErrCode = -100
	ErrNoNode                       ErrCode = -101
	ErrNoAuth                       ErrCode = -102
	ErrBadVersion                   ErrCode = -103
	ErrNoChildrenForEphemerals      ErrCode = -108
	ErrNodeExists                   ErrCode = -110
	ErrNotEmpty                     ErrCode = -111
	ErrSessionExpired               ErrCode = -112
	ErrInvalidCallback              ErrCode = -113 // unused
	ErrInvalidACL                   ErrCode = -114
	ErrAuthFailed                   ErrCode = -115
	ErrSessionMoved                 ErrCode = -118 // never sent: the connection is closed instead
	ErrNotReadOnly                  ErrCode = -119
	ErrEphemeralOnLocalSession      ErrCode = -120
	ErrNoWatcher                    ErrCode = -121
	ErrRequestTimeout               ErrCode = -122 // local
	ErrReconfigDisabled             ErrCode = -123
	ErrSessionClosedRequireSaslAuth ErrCode = -124
	ErrQuotaExceeded                ErrCode = -125
	ErrThrottledOp                  ErrCode = -127
)

// Err returns nil for OK and c itself for anything else.
func (c ErrCode) Err() error {
	if c == OK {
		return nil
	}
	return c
}

// Error is worded like the Java client's exceptions, which people search logs for.
func (c ErrCode) Error() string { return "KeeperErrorCode = " + c.String() }

// String is the code's name in ZooKeeper's documentation, for example NoNode.
func (c ErrCode) String() string {
	switch c {
	case OK:
		return "OK"
	case ErrSystemError:
		return "SystemError"
	case ErrRuntimeInconsistency:
		return "RuntimeInconsistency"
	case ErrDataInconsistency:
		return "DataInconsistency"
	case ErrConnectionLoss:
		return "ConnectionLoss"
	case ErrMarshallingError:
		return "MarshallingError"
	case ErrUnimplemented:
		return "Unimplemented"
	case ErrOperationTimeout:
		return "OperationTimeout"
	case ErrBadArguments:
		return "BadArguments"
	case ErrUnknownSession:
		return "UnknownSession"
	case ErrNewConfigNoQuorum:
		return "NewConfigNoQuorum"
	case ErrReconfigInProgress:
		return "ReconfigInProgress"
	case ErrAPIError:
		return "APIError"
	case ErrNoNode:
		return "NoNode"
	case ErrNoAuth:
		return "NoAuth"
	case ErrBadVersion:
		return "BadVersion"
	case ErrNoChildrenForEphemerals:
		return "NoChildrenForEphemerals"
	case ErrNodeExists:
		return "NodeExists"
	case ErrNotEmpty:
		return "NotEmpty"
	case ErrSessionExpired:
		return "SessionExpired"
	case ErrInvalidCallback:
		return "InvalidCallback"
	case ErrInvalidACL:
		return "InvalidACL"
	case ErrAuthFailed:
		return "AuthFailed"
	case ErrSessionMoved:
		return "SessionMoved"
	case ErrNotReadOnly:
		return "NotReadOnly"
	case ErrEphemeralOnLocalSession:
		return "EphemeralOnLocalSession"
	case ErrNoWatcher:
		return "NoWatcher"
	case ErrRequestTimeout:
		return "RequestTimeout"
	case ErrReconfigDisabled:
		return "ReconfigDisabled"
	case ErrSessionClosedRequireSaslAuth:
		return "SessionClosedRequireSaslAuth"
	case ErrQuotaExceeded:
		return "QuotaExceeded"
	case ErrThrottledOp:
		return "ThrottledOp"
	}
	return "Unknown(" + strconv.Itoa(int(c)) + ")"
}
