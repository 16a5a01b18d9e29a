module windlass.dev/tools/oracle-template

go 1.26
