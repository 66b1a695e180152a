package wire

import "strconv"

// OpCode is the kind of a request.
type OpCode int32

// The numbers of ZooKeeper's ZooDefs.OpCode.
const (
	OpNotification         OpCode = 0 // never a request
	OpCreate               OpCode = 1
	OpDelete               OpCode = 2
	OpExists               OpCode = 3
	OpGetData              OpCode = 4
	OpSetData              OpCode = 5
	OpGetACL               OpCode = 6
	OpSetACL               OpCode = 7
	OpGetChildren          OpCode = 8
	OpSync                 OpCode = 9
	OpPing                 OpCode = 11
	OpGetChildren2         OpCode = 12
	OpCheck                OpCode = 13 // within a multi only
	OpMulti                OpCode = 14
	OpCreate2              OpCode = 15
	OpReconfig             OpCode = 16
	OpCheckWatches         OpCode = 17
	OpRemoveWatches        OpCode = 18
	OpCreateContainer      OpCode = 19
	OpDeleteContainer      OpCode = 20 // a server's own, refused from clients
	OpCreateTTL            OpCode = 21
	OpMultiRead            OpCode = 22
	OpGetChildrenPage      OpCode = 71 // not in Apache ZooKeeper
	OpAuth                 OpCode = 100
	OpSetWatches           OpCode = 101
	OpSASL                 OpCode = 102
	OpGetEphemerals        OpCode = 103
	OpGetAllChildrenNumber OpCode = 104
	OpSetWatches2          OpCode = 105
	OpAddWatch             OpCode = 106
	OpWhoAmI               OpCode = 107
	OpCreateSession        OpCode = -10 // a server's own, refused from clients
	OpCloseSession         OpCode = -11
	OpError                OpCode = -1 // never a request; a failed part of a multi
)

// Known reports whether a client may send o as a request of its own. The answer
// to anything else is ErrUnimplemented with zxid −1 and the end of the connection; that
// includes check, which exists only within a multi, and the servers' own
// createSession and deleteContainer.
//
// Differs from ZooKeeper: it takes the last two from anybody, which lets
// any client delete nodes that their ACL protects.
func (o OpCode) Known() bool {
	switch o {
	case OpNotification, OpError, OpCheck, OpDeleteContainer, OpCreateSession:
		return false
	}
	name, _ := o.names()
	return name != ""
}

// IsWrite reports whether o is ordered by the leader and consumes a zxid.
func (o OpCode) IsWrite() bool {
	switch o {
	case OpCreate, OpDelete, OpSetData, OpSetACL, OpMulti, OpCreate2, OpReconfig, OpCreateContainer,
		OpDeleteContainer, OpCreateTTL, OpCreateSession, OpCloseSession:
		return true
	}
	return false
}

// String is the operation's name in ZooKeeper's documentation.
func (o OpCode) String() string {
	if name, _ := o.names(); name != "" {
		return name
	}
	return "op(" + strconv.Itoa(int(o)) + ")"
}

// ShortName is the abbreviation that the four-letter word cons prints as the last
// operation (lop) of a connection; "NA" for what has none.
// ZooKeeper: FinalRequestProcessor.
func (o OpCode) ShortName() string {
	if _, short := o.names(); short != "" {
		return short
	}
	return "NA"
}

// names returns "" twice for an op code that does not exist.
func (o OpCode) names() (name, short string) {
	switch o {
	case OpNotification:
		return "notification", ""
	case OpCreate:
		return "create", "CREA"
	case OpDelete:
		return "delete", "DELE"
	case OpExists:
		return "exists", "EXIS"
	case OpGetData:
		return "getData", "GETD"
	case OpSetData:
		return "setData", "SETD"
	case OpGetACL:
		return "getACL", "GETA"
	case OpSetACL:
		return "setACL", "SETA"
	case OpGetChildren:
		return "getChildren", "GETC"
	case OpSync:
		return "sync", "SYNC"
	case OpPing:
		return "ping", "PING"
	case OpGetChildren2:
		return "getChildren2", "GETC"
	case OpCheck:
		return "check", "CHEC"
	case OpMulti:
		return "multi", "MULT"
	case OpCreate2:
		return "create2", "CREA"
	case OpReconfig:
		return "reconfig", "RECO"
	case OpCheckWatches:
		return "checkWatches", "CHKW"
	case OpRemoveWatches:
		return "removeWatches", "REMW"
	case OpCreateContainer:
		return "createContainer", "CREA"
	case OpDeleteContainer:
		return "deleteContainer", "DELE"
	case OpCreateTTL:
		return "createTTL", "CREA"
	case OpMultiRead:
		return "multiRead", "MLTR"
	case OpGetChildrenPage:
		return "getChildrenPage", "GETC"
	case OpAuth:
		return "auth", ""
	case OpSetWatches:
		return "setWatches", "SETW"
	case OpSASL:
		return "sasl", ""
	case OpGetEphemerals:
		return "getEphemerals", "GETE"
	case OpGetAllChildrenNumber:
		return "getAllChildrenNumber", "GETACN"
	case OpSetWatches2:
		return "setWatches2", "STW2"
	case OpAddWatch:
		return "addWatch", "ADDW"
	case OpWhoAmI:
		return "whoAmI", "HOMI"
	case OpCreateSession:
		return "createSession", "SESS"
	case OpCloseSession:
		return "closeSession", "CLOS"
	case OpError:
		return "error", ""
	}
	return "", ""
}
