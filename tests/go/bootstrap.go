package main

import (
	"github.com/hashicorp/consul/api"
)

// bootstrap makes the first token of each cluster, which works once; over later transports it has been done.
func bootstrap(r *Report, pair Pair) {
	if pair.Acceptor.transport == HTTP {
		bootstrapFirst(r, "acceptor", pair.Acceptor)
		bootstrapFirst(r, "dialer", pair.Dialer)
	}
	_, _, err := pair.Acceptor.Client("").ACL().BootstrapWithToken(pair.Acceptor.managementToken)
	r.RefusedWith("a second time", err,
		"Unexpected response code: 403 (Permission denied: ACL bootstrap no longer allowed (reset index: ")
	_, _, err = pair.Acceptor.Client("").ACL().Bootstrap()
	r.RefusedWith("a second time, without naming a token", err,
		"Unexpected response code: 403 (Permission denied: ACL bootstrap no longer allowed (reset index: ")
}

func bootstrapFirst(r *Report, name string, side Side) {
	_, _, err := side.Client("").ACL().BootstrapWithToken("not a uuid")
	r.RefusedWith(name+": with something else", err, "Unexpected response code: ")

	token, _, err := side.Client("").ACL().BootstrapWithToken(side.managementToken)
	r.Needs(name+": with the token that was named", err)
	r.Holds(name+": its secret", token.SecretID == side.managementToken, "the one named", token.SecretID)
	r.Holds(name+": its accessor", uuid.MatchString(token.AccessorID), "a uuid", token.AccessorID)
	r.Equal(name+": its description", "Bootstrap Token (Global Management)", token.Description)
	r.Equal(name+": its policies", []api.ACLTokenPolicyLink{{
		ID:   "00000000-0000-0000-0000-000000000001",
		Name: "global-management",
	}}, links(token.Policies))
	r.Equal(name+": it is local", false, token.Local)
	r.Holds(name+": its time", !token.CreateTime.IsZero(), "a time", token.CreateTime)
	r.Equal(name+": its end", true, token.ExpirationTime == nil)
	r.Holds(name+": its indexes", token.CreateIndex > 0 && token.CreateIndex == token.ModifyIndex,
		"above 0 and equal", token)

	self, _, err := side.Manager().ACL().TokenReadSelf(nil)
	r.Needs(name+": it reads itself", err)
	r.Holds(name+": what it reads", self.AccessorID == token.AccessorID, "the same accessor", self.AccessorID)
}

// links turns pointers into what can be compared and shown.
func links(policies []*api.ACLTokenPolicyLink) []api.ACLTokenPolicyLink {
	var shown []api.ACLTokenPolicyLink
	for _, policy := range policies {
		shown = append(shown, *policy)
	}
	return shown
}
