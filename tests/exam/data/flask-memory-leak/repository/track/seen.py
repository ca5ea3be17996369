SEEN = {}


def remember(name, request_id):
    visits = SEEN.setdefault(name, [])
    visits.append(request_id + "x" * 3_000_000)
    return len(visits)
