module plugins/{{name}}

go 1.26

// The SDK lies in this folder: nothing is fetched.
require baton v0.0.0

replace baton => ./sdk
