package properties

import "errors"

// CheckStores reads the key and trust stores of the listeners, as the broker does at its
// start and Read does not. The error joins an *Error for each listener whose stores are of
// no use.
func (res *Result) CheckStores() error {
	var errs []error
	fail := func(listener string, err error) {
		errs = append(errs, &Error{File: res.path, Cause: "listener " + listener + ": " + err.Error()})
	}
	for _, l := range res.Config.Listeners {
		if l.TLS == nil {
			continue
		}
		if _, err := l.TLS.ServerConfig(); err != nil {
			fail(l.Name, err)
		}
	}
	return errors.Join(errs...)
}
