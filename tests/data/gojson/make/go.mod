module govec

go 1.22
