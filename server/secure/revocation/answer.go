package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// answer is what a responder says of one certificate: good or revoked. It never changes.
type answer struct {
	from, until time.Time
	revoked     *Revocation // nil: good
}

func (a *answer) size() int                { return 0 } // all are small
func (a *answer) valid(now time.Time) bool { return a.current(now) == nil }

// current wants now to be between the answer's updates. Without a next one it is for now only.
func (a *answer) current(now time.Time) error {
	until := a.until
	if until.IsZero() {
		until = a.from
	}
	switch {
	case now.Add(skew).Before(a.from):
		return fmt.Errorf("its answer is good from %s on only", a.from.UTC().Format(time.RFC3339))
	case now.Add(-skew).After(until):
		return fmt.Errorf("its answer is out of date since %s", until.UTC().Format(time.RFC3339))
	}
	return nil
}

// askResponder takes the first answer, good or revoked, that can be had.
func (c *Checker) askResponder(ctx context.Context, cert *x509.Certificate, by issuer) (*Revocation, error) {
	if len(cert.OCSPServer) == 0 {
		return nil, errNoResponder
	}
	question, err := ocsp.CreateRequest(cert, by.cert, nil)
	if err != nil {
		return nil, fmt.Errorf("ask an OCSP responder: %w", err)
	}
	var errs []error
	for _, url := range cert.OCSPServer[:min(len(cert.OCSPServer), addressesMax)] {
		key := url + by.id() + serial(cert.SerialNumber)
		a, err := c.answers.get(ctx, key, func(*answer) (*answer, error) {
			body, err := c.fetch.ask(ctx, url, question)
			if err != nil {
				return nil, err
			}
			return parseAnswer(body, cert, by, c.opts.now())
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("OCSP responder %s: %w", shorten(url), err))
			continue
		}
		if a.revoked == nil {
			return nil, nil
		}
		revoked := *a.revoked
		revoked.By = "OCSP responder " + shorten(url)
		return &revoked, nil
	}
	return nil, errors.Join(errs...)
}

// parseAnswer reads a responder's answer, which has to be about cert, by whoever may speak
// for by, and of now. That a certificate is unknown is an error.
func parseAnswer(der []byte, cert *x509.Certificate, by issuer, now time.Time) (*answer, error) {
	// Without an issuer the parser verifies the signature by the certificate that came along,
	// if one did; whether that may sign, speaker decides.
	resp, err := ocsp.ParseResponseForCert(der, cert, nil)
	var refused ocsp.ResponseError
	switch {
	case errors.As(err, &refused):
		return nil, fmt.Errorf("it refuses to answer: %v", refused.Status)
	case err != nil:
		return nil, fmt.Errorf("not an answer of OCSP: %w", err)
	}
	if err := speaker(resp, by.cert, now); err != nil {
		return nil, err
	}
	if err := about(resp, cert, by.cert); err != nil {
		return nil, err
	}
	a := &answer{from: resp.ThisUpdate, until: resp.NextUpdate}
	if err := a.current(now); err != nil {
		return nil, err
	}
	switch resp.Status {
	case ocsp.Good:
		return a, nil
	case ocsp.Revoked:
		a.revoked = &Revocation{At: resp.RevokedAt, Reason: reasonText(resp.RevocationReason)}
		return a, nil
	}
	return nil, errors.New("it does not know the certificate")
}

// speaker wants the answer to be signed by the authority, or by a delegate: a certificate that the authority
// issued for signing answers.
func speaker(resp *ocsp.Response, by *x509.Certificate, now time.Time) error {
	d := resp.Certificate
	if d == nil || bytes.Equal(d.RawSubject, by.RawSubject) && bytes.Equal(d.RawSubjectPublicKeyInfo, by.RawSubjectPublicKeyInfo) {
		if err := resp.CheckSignatureFrom(by); err != nil {
			return fmt.Errorf("its answer is not signed by the certificate's authority: %w", err)
		}
		return nil
	}
	err := by.CheckSignature(d.SignatureAlgorithm, d.RawTBSCertificate, d.Signature)
	switch {
	case !bytes.Equal(d.RawIssuer, by.RawSubject):
		return errors.New("its own certificate is another authority's")
	case err != nil:
		return fmt.Errorf("its own certificate is not signed by the certificate's authority: %w", err)
	case !slices.Contains(d.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("its own certificate is not made for signing answers of OCSP")
	case now.Before(d.NotBefore), now.After(d.NotAfter):
		return errors.New("its own certificate is not valid now")
	}
	return nil
}

// responses are the parts of ResponseData (RFC 6960, 4.2.1) that say what an answer is about, which
// the parser does not hand out.
type responses struct {
	Version   int `asn1:"optional,default:0,explicit,tag:0"`
	Responder asn1.RawValue
	Produced  time.Time `asn1:"generalized"`
	Single    []struct{ ID certID }
}

type certID struct {
	Hash      pkix.AlgorithmIdentifier
	Name, Key []byte
	Serial    *big.Int
}

// about wants the answer that the parser took, the first with cert's serial number, to be about
// cert's authority: others have the same numbers.
func about(resp *ocsp.Response, cert, by *x509.Certificate) error {
	var data responses
	if _, err := asn1.Unmarshal(resp.TBSResponseData, &data); err != nil {
		return fmt.Errorf("not an answer of OCSP: %w", err)
	}
	asked, err := ocsp.CreateRequest(cert, by, &ocsp.RequestOptions{Hash: resp.IssuerHash})
	if err != nil {
		return fmt.Errorf("the hash of its answer: %w", err)
	}
	want, err := ocsp.ParseRequest(asked)
	if err != nil {
		return fmt.Errorf("the question: %w", err) // it was just made
	}
	for _, s := range data.Single {
		if s.ID.Serial == nil || s.ID.Serial.Cmp(cert.SerialNumber) != 0 {
			continue
		}
		if bytes.Equal(s.ID.Name, want.IssuerNameHash) && bytes.Equal(s.ID.Key, want.IssuerKeyHash) {
			return nil
		}
		break
	}
	return errors.New("its answer is about another authority's certificate")
}
