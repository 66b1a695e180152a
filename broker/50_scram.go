package broker

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/sasl"
)

// DescribeUserScramCredentials (50), AlterUserScramCredentials (51), version 0, on every
// broker: credentials for SCRAM, which stand in the tree. Passwords are never there.

// scramName is a mechanism by its number in the protocol, "" if there is none.
func scramName(n int8) string {
	switch n {
	case 1:
		return "SCRAM-SHA-256"
	case 2:
		return "SCRAM-SHA-512"
	}
	return ""
}

const (
	scramIterationsMin = 4096
	scramIterationsMax = 16384
)

func (c *call) describeSCRAM(req *kmsg.DescribeUserSCRAMCredentialsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	if code := c.clusterCode(auth.Describe); code != kerror.OK {
		resp.ErrorCode, resp.ErrorMessage = int16(code), kmsg.StringPtr("Cluster authorization failed.")
		return resp
	}
	resp.Results = []kmsg.DescribeUserSCRAMCredentialsResponseResult{}
	if len(req.Users) == 0 {
		for e := range c.image.Configs() {
			if _, ofClient := e.ClientOfUser(); e.Kind() != metadata.UserKind || ofClient || e.Name() == metadata.DefaultName {
				continue
			}
			if res := c.scramOf(e.Name()); res.ErrorCode == 0 {
				resp.Results = append(resp.Results, res)
			}
		}
		return resp
	}
	seen := map[string]int{}
	for _, u := range req.Users {
		seen[u.Name]++
	}
	for _, u := range req.Users {
		res := c.scramOf(u.Name)
		if seen[u.Name] > 1 {
			res.ErrorCode, res.CredentialInfos = int16(kerror.DuplicateResource), nil
			res.ErrorMessage = kmsg.StringPtr("Cannot describe SCRAM credentials for the same user twice in a single request: " + u.Name)
		}
		resp.Results = append(resp.Results, res)
	}
	return resp
}

func (c *call) scramOf(user string) kmsg.DescribeUserSCRAMCredentialsResponseResult {
	res := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
	res.User = user
	for n := int8(1); scramName(n) != ""; n++ {
		if cred, ok := c.image.Scram(user, scramName(n)); ok {
			info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
			info.Mechanism, info.Iterations = n, int32(cred.Iterations)
			res.CredentialInfos = append(res.CredentialInfos, info)
		}
	}
	if len(res.CredentialInfos) == 0 {
		res.ErrorCode = int16(kerror.ResourceNotFound)
		res.ErrorMessage = kmsg.StringPtr("Attempt to describe a user credential that does not exist: " + user)
	}
	return res
}

func (c *call) alterSCRAM(req *kmsg.AlterUserSCRAMCredentialsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	users, changes, refused := c.scramChanges(req)
	for _, user := range users {
		res := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		res.User = user
		r := refused[user]
		if code := c.clusterCode(auth.Alter); code != kerror.OK {
			r = refusal{code, "Cluster authorization failed."}
		}
		if r.ok() {
			r = c.writeSCRAM(user, changes[user])
		}
		res.ErrorCode, res.ErrorMessage = int16(r.code), r.text()
		resp.Results = append(resp.Results, res)
	}
	c.seeOwnWrites()
	return resp
}

// scramChanges are the changes by user, in the order in which users come, and what is wrong
// with those of a user.
func (c *call) scramChanges(req *kmsg.AlterUserSCRAMCredentialsRequest) (users []string, changes map[string][]metadata.ScramUser, refused map[string]refusal) {
	changes, refused = map[string][]metadata.ScramUser{}, map[string]refusal{}
	add := func(user string, mechanism int8, cred *metadata.ScramCredential, r refusal) {
		if !slices.Contains(users, user) {
			users = append(users, user)
		}
		name := scramName(mechanism)
		switch {
		case user == "":
			r = refusal{kerror.UnacceptableCredential, "Username must not be empty"}
		case name == "":
			r = refusal{kerror.UnsupportedSaslMechanism, "Unknown SCRAM mechanism"}
		case slices.ContainsFunc(changes[user], func(o metadata.ScramUser) bool { return o.Mechanism == name }):
			r = refusal{kerror.DuplicateResource, "A user credential cannot be altered twice in the same request"}
		}
		if !r.ok() && refused[user].ok() {
			refused[user] = r
		}
		changes[user] = append(changes[user], metadata.ScramUser{Mechanism: name, Credential: cred})
	}
	for _, d := range req.Deletions {
		r := refusal{}
		if _, ok := c.image.Scram(d.Name, scramName(d.Mechanism)); !ok {
			r = refusal{kerror.ResourceNotFound, "Attempt to delete a user credential that does not exist"}
		}
		add(d.Name, d.Mechanism, nil, r)
	}
	for _, u := range req.Upsertions {
		cred, r := scramCredential(&u)
		add(u.Name, u.Mechanism, cred, r)
	}
	return users, changes, refused
}

func scramCredential(u *kmsg.AlterUserSCRAMCredentialsRequestUpsertion) (*metadata.ScramCredential, refusal) {
	switch {
	case u.Iterations < scramIterationsMin:
		return nil, refusal{kerror.UnacceptableCredential, "Too few iterations"}
	case u.Iterations > scramIterationsMax:
		return nil, refusal{kerror.UnacceptableCredential, "Too many iterations"}
	case scramName(u.Mechanism) == "":
		return nil, refusal{kerror.UnsupportedSaslMechanism, "Unknown SCRAM mechanism"}
	}
	cred, err := sasl.SCRAMFromSalted(scramName(u.Mechanism), u.Salt, u.SaltedPassword, int(u.Iterations))
	if err != nil {
		return nil, refusal{kerror.UnacceptableCredential, err.Error()}
	}
	return &metadata.ScramCredential{Salt: cred.Salt, StoredKey: cred.StoredKey, ServerKey: cred.ServerKey, Iterations: cred.Iterations}, refusal{}
}

func (c *call) writeSCRAM(user string, changes []metadata.ScramUser) refusal {
	ctx, cancel := context.WithTimeoutCause(c.ctx, treeWait, errTimeout)
	defer cancel()
	if err := c.client.AlterScram(ctx, user, changes...); err != nil {
		if errors.Is(err, metadata.ErrClosed) {
			return refusal{code: kerror.BrokerNotAvailable}
		}
		return c.failedWrite(ctx, err)
	}
	c.log.Info("credentials changed", entityField(metadata.UserEntity(user)), clientField(c))
	return refusal{}
}
