module plugins/counter

go 1.26

require baton v0.0.0

replace baton => ../../../guest-sdk/go
