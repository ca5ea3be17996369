from django.http import HttpResponse, JsonResponse


def report(request, pk):
    if request.headers.get("X-Team", "") not in ("finance", "sales"):
        return HttpResponse(status=403)
    return JsonResponse({"id": pk})


def health(request):
    return HttpResponse("ok")
