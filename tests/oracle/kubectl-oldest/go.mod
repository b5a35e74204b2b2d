module roadbed.dev/tests/oracle/kubectl-oldest

go 1.16

require (
	k8s.io/component-base v0.23.3
	k8s.io/kubectl v0.23.3
)
