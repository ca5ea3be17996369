from django.http import JsonResponse

from crm.billing import due_date


def invoice(request, number):
    kind = request.GET.get("kind", "private")
    return JsonResponse({"number": number, "due": due_date(kind)})


def health(request):
    return JsonResponse({"ok": True})
