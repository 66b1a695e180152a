// Package tlscost measures what TLS costs a server: loads of holt bench over plaintext
// and over TLS with client certificates, in turn, and the server's CPU per operation.
//
//	go test ./compat/tlscost -target=holt -v [-run TestCost]
//
// The test fails if gets on 20 connections with 10 requests in flight cost more than twice
// as much over TLS. Figures are medians over rounds; those of a busy machine say little.
package tlscost
