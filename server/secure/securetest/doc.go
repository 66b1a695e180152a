// Package securetest makes authorities, certificates and stores for tests of
// TLS, and for nothing else: keys are of the kind that is made fastest.
package securetest
