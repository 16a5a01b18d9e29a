module windlass.dev/tools/oracle-helm

go 1.26.0
