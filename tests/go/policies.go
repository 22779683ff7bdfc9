package main

import (
	"fmt"
	"strings"

	"github.com/hashicorp/consul/api"
)

const (
	globalManagement = "00000000-0000-0000-0000-000000000001"
	// Nothing has this id.
	unknownID = "12345678-1234-1234-1234-123456789012"
)

// policies leads a policy through its life.
func policies(r *Report, pair Pair) {
	acl := pair.Acceptor.Manager().ACL()
	made, _, err := acl.PolicyCreate(&api.ACLPolicy{
		Name: "reader", Description: "reads peerings", Rules: `peering = "read"`,
	}, nil)
	r.Needs("create", err)
	r.Holds("id", uuid.MatchString(made.ID), "a uuid", made.ID)
	r.Equal("what was created", api.ACLPolicy{
		Name: "reader", Description: "reads peerings", Rules: `peering = "read"`,
	}, told(*made))
	r.Holds("hash", len(made.Hash) > 0, "some bytes", made.Hash)
	r.Holds("indexes", made.CreateIndex > 0 && made.CreateIndex == made.ModifyIndex, "above 0 and equal", made)

	read, meta, err := acl.PolicyRead(made.ID, nil)
	r.Needs("read", err)
	r.Holds("what was read", fmt.Sprintf("%+v", *read) == fmt.Sprintf("%+v", *made), "what was created", read)
	r.Equal("leader known", true, meta.KnownLeader)
	r.Holds("index", meta.LastIndex > 0, "above 0", meta.LastIndex)

	named, _, err := acl.PolicyReadByName("reader", nil)
	r.Needs("read by name", err)
	r.Holds("what was read by name", named != nil && named.ID == made.ID, "what was created", named)

	all, _, err := acl.PolicyList(nil)
	r.Needs("list", err)
	r.Equal("names in the list", []string{"builtin/global-read-only", "global-management", "reader"}, policyNames(all))

	update := api.ACLPolicy{ID: made.ID, Name: "writer", Description: "writes", Rules: `peering = "write"`}
	updated, _, err := acl.PolicyUpdate(&update, nil)
	r.Needs("update", err)
	r.Equal("what was updated", api.ACLPolicy{
		Name: "writer", Description: "writes", Rules: `peering = "write"`,
	}, told(*updated))
	r.Holds("indexes after that", updated.CreateIndex == made.CreateIndex && updated.ModifyIndex > made.ModifyIndex,
		"made then and changed later", updated)
	r.Holds("hash after that", string(updated.Hash) != string(made.Hash), "another", updated.Hash)

	refusedPolicies(r, acl)

	_, err = acl.PolicyDelete(made.ID, nil)
	r.Needs("delete", err)
	gone, _, err := acl.PolicyReadByName("writer", nil)
	r.Needs("read by name after that", err)
	r.Equal("what is read by name after that", (*api.ACLPolicy)(nil), gone)
	_, _, err = acl.PolicyRead(made.ID, nil)
	r.Refused("read after that", err, "Unexpected response code: 404 (Requested policy does not exist: ACL not found)")
	// Of these two refusals the client loses the text.
	_, err = acl.PolicyDelete(made.ID, nil)
	r.Refused("delete once more", err, "Unexpected response code: 404 ()")
	_, err = acl.PolicyDelete(globalManagement, nil)
	r.Refused("delete what is built in", err, "Unexpected response code: 500 ()")
}

func refusedPolicies(r *Report, acl *api.ACL) {
	_, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: "writer"}, nil)
	r.Refused("create one of the same name", err,
		`Unexpected response code: 500 (Invalid Policy: A Policy with Name "writer" already exists)`)
	_, _, err = acl.PolicyCreate(&api.ACLPolicy{Name: "a b"}, nil)
	r.Refused("create with a bad name", err, "Unexpected response code: 500 (Invalid Policy: invalid Name. "+
		"Only alphanumeric characters, a single '/', '-' and '_' are allowed)")
	_, _, err = acl.PolicyCreate(&api.ACLPolicy{}, nil)
	r.Refused("create without a name", err, "Unexpected response code: 500 (Invalid Policy: no Name is set)")
	_, _, err = acl.PolicyCreate(&api.ACLPolicy{Name: "bad", Rules: `peering = "perhaps"`}, nil)
	r.Refused("rules with a bad word", err, `Unexpected response code: 500 (Invalid peering policy: "perhaps")`)
	_, _, err = acl.PolicyCreate(&api.ACLPolicy{Name: "bad", Rules: `peering = {`}, nil)
	r.RefusedWith("rules that do not parse", err, "Unexpected response code: 500 (Failed to parse ACL rules: ")
	_, _, err = acl.PolicyUpdate(&api.ACLPolicy{
		ID: unknownID, Name: "x", Rules: `peering = "read"`,
	}, nil)
	r.Refused("update what is not there", err, "Unexpected response code: 500 (cannot find policy "+unknownID+")")
	_, _, err = acl.PolicyRead(unknownID, nil)
	r.Refused("read an unknown id", err,
		"Unexpected response code: 404 (Requested policy does not exist: ACL not found)")
}

// told keeps what the caller has said.
func told(policy api.ACLPolicy) api.ACLPolicy {
	return api.ACLPolicy{
		Name: policy.Name, Description: policy.Description, Rules: policy.Rules, Datacenters: policy.Datacenters,
	}
}

func policyNames(policies []*api.ACLPolicyListEntry) []string {
	var names []string
	for _, policy := range policies {
		names = append(names, policy.Name)
	}
	return sorted(names)
}

// withPolicy makes a policy and a token that has it, and returns the token and what removes both.
func withPolicy(r *Report, acl *api.ACL, name, rules string) (*api.ACLToken, func()) {
	policy, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil)
	r.Needs("policy "+strings.ReplaceAll(rules, "\n", "; "), err)
	token, _, err := acl.TokenCreate(&api.ACLToken{
		Description: name, Policies: []*api.ACLTokenPolicyLink{{Name: name}},
	}, nil)
	r.Needs("token with policy "+name, err)
	return token, func() {
		_, err := acl.TokenDelete(token.AccessorID, nil)
		r.Works("delete the token with policy "+name, err)
		_, err = acl.PolicyDelete(policy.ID, nil)
		r.Works("delete the policy "+name, err)
	}
}
