! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The routines for many fits of a function of the user's, which Python evaluates for a block of them at once.
!>
!> Each fit under way has a slot: a packed array as of a single fit, but without residuals and Jacobian. A call names
!> the slots it is about, counted from 0, and says for each what its fit wants next.

!> Give the length of a slot.
subroutine slot_size(m, n, bounded, size)
    use kinds, only: long
    use lm, only: folded_by_caller
    use packed_state, only: packed_size
    implicit none (type, external)
    integer, intent(in) :: m                !! points of a data set
    integer, intent(in) :: n                !! parameters
    integer, intent(in) :: bounded          !! 1: with bounds
    integer(long), intent(out) :: size      !! numbers of double precision

    size = packed_size(m, n, folded_by_caller, bounded == 1)
end subroutine slot_size

!> Begin fits in some slots.
subroutine open_slots(m, n, count, size, capacity, which, p0, options, scaled, diag, bound_sets, lower, upper, states, &
                      points)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp
    use solver_options, only: options_of
    use lm, only: lm_fit, lm_start, folded_by_caller
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: count                            !! fits to begin
    integer, intent(in) :: size                             !! length of a slot
    integer, intent(in) :: capacity                         !! slots
    integer, intent(in) :: which(count)                     !! slots to use
    real(wp), intent(in) :: p0(n, count)                    !! where to start
    real(wp), intent(in) :: options(8)                      !! see options_of
    integer, intent(in) :: scaled                           !! 1: the scaling is given
    real(wp), intent(in) :: diag(n)                         !! that scaling
    integer, intent(in) :: bound_sets                       !! 0: no bounds; 1: shared; or as many as fits to begin
    real(wp), intent(in) :: lower(n, *), upper(n, *)        !! bounds; equal ones fix a parameter
    real(wp), intent(inout), target :: states(size, capacity)
    real(wp), intent(inout) :: points(n, capacity)          !! out: where to evaluate first

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)
    integer :: k, slot, own, task

    do k = 1, count
        slot = which(k) + 1
        call unpack_fit(n, states(1, slot), fit, ipvt)
        ipvt = 0
        own = max(1, min(k, bound_sets))
        if (bound_sets > 0) then
            call lm_start(m, n, p0(1, k), folded_by_caller, options_of(options), scaled, diag, fit, &
                          states(work_begins(n), slot), task, lower(1, own), upper(1, own))
        else
            call lm_start(m, n, p0(1, k), folded_by_caller, options_of(options), scaled, diag, fit, &
                          states(work_begins(n), slot), task)
        end if
        points(:, slot) = p0(:, k)
    end do
end subroutine open_slots

!> Hand in the values of the model at the points of some fits.
subroutine take_block(m, n, count, size, capacity, which, values, y, weight_sets, weights, states, points, tasks, work)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp
    use lm, only: lm_fit
    use slots, only: take_values
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: count                            !! fits that were evaluated
    integer, intent(in) :: size                             !! length of a slot
    integer, intent(in) :: capacity                         !! slots
    integer, intent(in) :: which(count)                     !! slots of those fits
    real(wp), intent(in) :: values(m, count)                !! values of the model
    real(wp), intent(in) :: y(m, capacity)                  !! observations
    integer, intent(in) :: weight_sets                      !! 0: no weights; 1: shared; or as many as slots
    real(wp), intent(in) :: weights(m, *)                   !! reciprocal standard deviations; 0 leaves a point out
    real(wp), intent(inout), target :: states(size, capacity)
    real(wp), intent(inout) :: points(n, capacity)          !! out: where to evaluate next, or the solution
    integer, intent(inout) :: tasks(count)                  !! out: what the fits want next
    real(wp), intent(inout) :: work(m)                      !! work

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)
    integer :: k, slot, own

    do k = 1, count
        slot = which(k) + 1
        own = max(1, min(slot, weight_sets))
        call unpack_fit(n, states(1, slot), fit, ipvt)
        call take_values(m, n, values(1, k), y(1, slot), weight_sets > 0, weights(1, own), &
                         fit, ipvt, states(work_begins(n), slot), work, points(1, slot), tasks(k))
    end do
end subroutine take_block

!> Hand in the derivatives of the model at the points of some fits, or values a step further.
subroutine take_block_slopes(m, n, count, size, capacity, which, values, y, weight_sets, weights, slopes, row_stride, &
                             fit_stride, column_stride, differenced, h, states, points, tasks, work)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, long, row_block
    use lm, only: lm_fit
    use slots, only: take_slopes
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: count                            !! fits that were evaluated
    integer, intent(in) :: size                             !! length of a slot
    integer, intent(in) :: capacity                         !! slots
    integer, intent(in) :: which(count)                     !! slots of those fits
    real(wp), intent(in) :: values(m, count)                !! values of the model
    real(wp), intent(in) :: y(m, capacity)                  !! observations
    integer, intent(in) :: weight_sets                      !! 0: no weights; 1: shared; or as many as slots
    real(wp), intent(in) :: weights(m, *)                   !! reciprocal standard deviations; 0 leaves a point out
    real(wp), intent(in) :: slopes(*)                       !! derivatives, or values a step further
    integer(long), intent(in) :: row_stride                 !! in slopes, between points
    integer(long), intent(in) :: fit_stride                 !! in slopes, between fits
    integer(long), intent(in) :: column_stride              !! in slopes, between parameters
    integer, intent(in) :: differenced                      !! 1: slopes holds values a step further
    real(wp), intent(in) :: h(n, count)                     !! those steps
    real(wp), intent(inout), target :: states(size, capacity)
    real(wp), intent(inout) :: points(n, capacity)          !! out: where to evaluate next, or the solution
    integer, intent(inout) :: tasks(count)                  !! out: what the fits want next
    real(wp), intent(inout) :: work(*)                      !! work (min(m, row_block) + n, n + 1)

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)
    integer :: k, slot, own

    do k = 1, count
        slot = which(k) + 1
        own = max(1, min(slot, weight_sets))
        call unpack_fit(n, states(1, slot), fit, ipvt)
        call take_slopes(m, n, values(1, k), y(1, slot), weight_sets > 0, weights(1, own), &
                         slopes(1 + (k - 1)*fit_stride), row_stride, column_stride, differenced == 1, h(1, k), fit, &
                         ipvt, states(work_begins(n), slot), work, work(1 + min(m, row_block)*(n + 1)), &
                         points(1, slot), tasks(k))
    end do
end subroutine take_block_slopes

!> Read how some fits have ended; single ones, too, whose packed arrays are longer.
subroutine read_slots(n, count, size, capacity, which, states, triangles, fnorm, nfev, status)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp
    use covariance, only: unpivot
    use lm, only: lm_fit, lm_layout, layout
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: count                            !! fits to read
    integer, intent(in) :: size                             !! length of a slot
    integer, intent(in) :: capacity                         !! slots
    integer, intent(in) :: which(count)                     !! their slots
    real(wp), intent(inout), target :: states(size, capacity)
    real(wp), intent(inout) :: triangles(n, n + 1, count)   !! out: T with TᵀT = JᵀJ, and the head of Qᵀ f
    real(wp), intent(inout) :: fnorm(count)                 !! out: norms of the residuals
    integer, intent(inout) :: nfev(count)                   !! out: evaluations
    integer, intent(inout) :: status(count)                 !! out: exit codes

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)
    type(lm_layout) :: at
    integer :: k, slot

    do k = 1, count
        slot = which(k) + 1
        call unpack_fit(n, states(1, slot), fit, ipvt)
        at = layout(fit%m, n, fit%analytic, logical(fit%bounded))
        call unpivot(n, states(work_begins(n) - 1 + at%r, slot), states(work_begins(n) - 1 + at%qtf, slot), ipvt, &
                     triangles(1, 1, k))
        fnorm(k) = fit%fnorm
        nfev(k) = fit%nfev
        status(k) = fit%info
    end do
end subroutine read_slots
