package main

import (
	"fmt"
	"sort"
	"time"

	"github.com/hashicorp/consul/api"
)

// tokens leads an ACL token through its life.
func tokens(r *Report, pair Pair) {
	acl := pair.Acceptor.Manager().ACL()
	_, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: "reading", Rules: `peering = "read"`}, nil)
	r.Needs("create a policy", err)
	policy, _, err := acl.PolicyReadByName("reading", nil)
	r.Needs("read it", err)

	made, _, err := acl.TokenCreate(&api.ACLToken{
		Description:   "for a dashboard",
		Policies:      []*api.ACLTokenPolicyLink{{Name: "reading"}},
		ExpirationTTL: time.Hour,
	}, nil)
	r.Needs("create", err)
	r.Holds("accessor and secret", uuid.MatchString(made.AccessorID) && uuid.MatchString(made.SecretID) &&
		made.AccessorID != made.SecretID, "two uuids", made)
	r.Equal("description", "for a dashboard", made.Description)
	r.Holds("policies", len(made.Policies) == 1 && *made.Policies[0] == api.ACLTokenPolicyLink{
		ID: policy.ID, Name: "reading",
	}, "the one, with id and name", links(made.Policies))
	r.Equal("local", false, made.Local)
	r.Holds("end", made.ExpirationTime != nil && made.ExpirationTime.Sub(made.CreateTime) == time.Hour,
		"an hour after its begin", made.ExpirationTime)
	r.Holds("hash", len(made.Hash) > 0, "some bytes", made.Hash)

	read, _, err := acl.TokenRead(made.AccessorID, nil)
	r.Needs("read", err)
	r.Holds("what was read", fmt.Sprint(tokenParts(read)) == fmt.Sprint(tokenParts(made)), "what was created", read)
	self, _, err := pair.Acceptor.Client(made.SecretID).ACL().TokenReadSelf(nil)
	r.Needs("read itself", err)
	r.Holds("what it reads", fmt.Sprint(tokenParts(self)) == fmt.Sprint(tokenParts(made)), "what was created", self)

	listed(r, acl, "list", made)
	inspected(r, pair, acl, made)

	renamed := *made
	renamed.Description = "for two dashboards"
	updated, _, err := acl.TokenUpdate(&renamed, nil)
	r.Needs("update", err)
	r.Equal("description after that", "for two dashboards", updated.Description)
	r.Holds("the rest after that", updated.SecretID == made.SecretID && updated.AccessorID == made.AccessorID &&
		updated.CreateIndex == made.CreateIndex && updated.ModifyIndex > made.ModifyIndex, "as before", updated)

	cloned(r, acl, made)
	refusedTokens(r, acl, made)

	_, err = acl.TokenDelete(made.AccessorID, nil)
	r.Needs("delete", err)
	_, _, err = acl.TokenRead(made.AccessorID, nil)
	r.Refused("read after that", err, "Unexpected response code: 403 (token does not exist: ACL not found)")
	_, err = acl.TokenDelete(made.AccessorID, nil)
	r.Refused("delete once more", err, "Unexpected response code: 404 (Cannot find token to delete)")
	_, err = acl.PolicyDelete(policy.ID, nil)
	r.Works("delete the policy", err)
}

func listed(r *Report, acl *api.ACL, what string, made *api.ACLToken) {
	all, _, err := acl.TokenList(nil)
	r.Needs(what, err)
	var found *api.ACLTokenListEntry
	for _, token := range all {
		if token.AccessorID == made.AccessorID {
			found = token
		}
	}
	r.Holds(what+": the token", found != nil && found.Description == made.Description &&
		found.SecretID == made.SecretID && len(found.Policies) == 1, "in it, with its secret", found)
}

// inspected reads tokens with the right to read them only: their secrets stay hidden.
func inspected(r *Report, pair Pair, acl *api.ACL, made *api.ACLToken) {
	inspector, remove := withPolicy(r, acl, "inspecting", `acl = "read"`)
	defer remove()
	client := pair.Acceptor.Client(inspector.SecretID).ACL()
	read, _, err := client.TokenRead(made.AccessorID, nil)
	r.Needs("read with acl:read", err)
	r.Equal("secret with acl:read", "<hidden>", read.SecretID)
	all, _, err := client.TokenList(nil)
	r.Needs("list with acl:read", err)
	seen := map[string]bool{}
	for _, token := range all {
		seen[token.SecretID] = true
	}
	r.Equal("secrets in the list with acl:read", map[string]bool{"<hidden>": true}, seen)
	_, err = client.TokenDelete(made.AccessorID, nil)
	r.Refused("delete with acl:read", err, "Unexpected response code: 403 (Permission denied: token with AccessorID '"+
		inspector.AccessorID+"' lacks permission 'acl:write')")
}

func cloned(r *Report, acl *api.ACL, made *api.ACLToken) {
	clone, _, err := acl.TokenClone(made.AccessorID, "a clone", nil)
	if !r.Works("clone", err) {
		return
	}
	r.Equal("description of the clone", "a clone", clone.Description)
	r.Holds("ids of the clone", clone.AccessorID != made.AccessorID && clone.SecretID != made.SecretID, "others", clone)
	r.Holds("policies of the clone", fmt.Sprint(links(clone.Policies)) == fmt.Sprint(links(made.Policies)), "the same",
		links(clone.Policies))
	_, err = acl.TokenDelete(clone.AccessorID, nil)
	r.Works("delete the clone", err)
}

func refusedTokens(r *Report, acl *api.ACL, made *api.ACLToken) {
	_, _, err := acl.TokenCreate(&api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{Name: "nope"}}}, nil)
	r.Refused("create with an unknown policy", err,
		`Unexpected response code: 500 (No such ACL policy with name "nope")`)
	_, _, err = acl.TokenCreate(&api.ACLToken{ExpirationTTL: time.Second}, nil)
	r.Refused("create for a second", err,
		"Unexpected response code: 500 (ExpirationTime cannot be less than 1m0s in the future (was 1s))")
	_, _, err = acl.TokenCreate(&api.ACLToken{AccessorID: made.AccessorID}, nil)
	r.Refused("create with an accessor that exists", err,
		"Unexpected response code: 500 (Invalid Token: AccessorID is already in use)")
	_, _, err = acl.TokenRead(unknownID, nil)
	r.Refused("read an unknown accessor", err, "Unexpected response code: 403 (token does not exist: ACL not found)")
}

// tokenParts is what is the same however a token is read.
func tokenParts(token *api.ACLToken) []any {
	return []any{
		token.AccessorID, token.SecretID, token.Description, links(token.Policies), token.CreateTime.UTC(),
		token.ExpirationTime.UTC(), token.Local, token.Hash, token.CreateIndex, token.ModifyIndex,
	}
}

func sorted(names []string) []string {
	sort.Strings(names)
	return names
}
