-- One write to an actor: all of it, or nothing. Says whether it took place.
-- KEYS: the actor's hash, the names of all, the leases' ends.
-- ARGV: the mark that was read ('' for none), the new one, the new head, the name; whose lease must run ('' for nobody's),
-- whose must not; 1 if copies are replaced; how many fields are put, each with its value; how many are dropped.
local mark = redis.call('HGET', KEYS[1], 'm') or ''
if mark ~= ARGV[1] then
    return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function runs(id)
    local ends = redis.call('HGET', KEYS[3], id)
    return ends and tonumber(ends) > now
end
if ARGV[5] ~= '' and not runs(ARGV[5]) then
    return 0
end
if ARGV[6] ~= '' and runs(ARGV[6]) then
    return 0
end
if ARGV[7] == '1' then
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
        local kind = string.sub(field, 1, 2)
        if kind == 'q:' or kind == 'f:' then
            redis.call('HDEL', KEYS[1], field)
        end
    end
end
local at = 9
for _ = 1, tonumber(ARGV[8]) do
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    at = at + 2
end
for n = at + 1, at + tonumber(ARGV[at]) do
    redis.call('HDEL', KEYS[1], ARGV[n])
end
redis.call('HSET', KEYS[1], 'm', ARGV[2], 'h', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[4])
return 1
