// Package image builds the container image of make image and runs it: the files
// and settings an orchestrator sees, the entrypoint with variables of the
// official ZooKeeper image, the health check, and the tools inside.
//
//	go test ./compat/image -target=holt
//
// It uses buildah with a store of its own below the test's directory, as root and
// without a registry, for the image starts from scratch. Left out: running it by
// podman, docker or Kubernetes, which need more than a build machine has; chroot
// isolation makes neither volumes nor a network of its own.
package image
