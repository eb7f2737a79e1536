-- Names in order, with their heads. KEYS: the names. ARGV: behind which, how many, what the keys of actors begin with.
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local names = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, tonumber(ARGV[2]))
local listed = {}
for n, name in ipairs(names) do
    listed[n] = { name, redis.call('HGET', ARGV[3] .. name, 'h') or '' }
end
return listed
