module windlass.dev/tools/oracle-webhook

go 1.26
