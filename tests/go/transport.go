package main

import "context"

// transport shows that the client reaches each server, and over TLS only with the root it was given.
func transport(r *Report, pair Pair) {
	_, err := pair.Acceptor.Client("").Status().Leader()
	r.Works("the acceptor answers", err)
	_, err = pair.Dialer.Client("").Status().Leader()
	r.Works("the dialer answers", err)
	if pair.Acceptor.transport == HTTPS {
		_, _, err := pair.Acceptor.client(pair.Acceptor.managementToken, "").Peerings().List(context.Background(), nil)
		r.RefusedWith("without its root", err, "x509: certificate signed by unknown authority")
	}
}
