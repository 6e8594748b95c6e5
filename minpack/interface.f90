! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

! The routines for single fits that Python sees. A fit under way is a packed array, see `packed_state`.

!> Give the length of the packed array of a fit.
subroutine state_size(m, n, analytic, bounded, size)
    use kinds, only: long
    use packed_state, only: packed_size
    implicit none (type, external)
    integer, intent(in) :: m                !! residuals
    integer, intent(in) :: n                !! parameters
    integer, intent(in) :: analytic         !! who makes Jacobians, see lm
    integer, intent(in) :: bounded          !! 1: with bounds
    integer(long), intent(out) :: size      !! numbers of double precision

    size = packed_size(m, n, analytic, bounded == 1)
end subroutine state_size

!> Begin a fit in a packed array.
subroutine start(length, n, state, x0, m, analytic, options, scaled, diag, bounded, lower, upper, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, long, task_wrong_size
    use solver_options, only: options_of
    use lm, only: lm_fit, lm_start
    use packed_state, only: unpack_fit, work_begins, packed_size
    implicit none (type, external)
    integer(long), intent(in) :: length             !! of state
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(length)        !! the packed array
    real(wp), intent(in) :: x0(n)                   !! starting point
    integer, intent(in) :: m                        !! residuals
    integer, intent(in) :: analytic                 !! who makes Jacobians, see lm
    real(wp), intent(in) :: options(8)              !! see options_of
    integer, intent(in) :: scaled                   !! 1: diag is given
    real(wp), intent(in) :: diag(n)                 !! scale factors
    integer, intent(in) :: bounded                  !! 1: with bounds
    real(wp), intent(in) :: lower(*), upper(*)      !! bounds (n); equal ones fix a parameter
    integer, intent(out) :: task                    !! what to do next

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)

    task = task_wrong_size
    if (n < 1 .or. m < 1 .or. length < packed_size(m, n, analytic, bounded == 1)) return
    call unpack_fit(n, state, fit, ipvt)
    ipvt = 0
    if (bounded == 1) then
        call lm_start(m, n, x0, analytic, options_of(options), scaled, diag, fit, state(work_begins(n)), task, &
                      lower, upper)
    else
        call lm_start(m, n, x0, analytic, options_of(options), scaled, diag, fit, state(work_begins(n)), task)
    end if
end subroutine start

!> Hand in residuals; get the next task and the point it is for.
subroutine take_residuals(m, n, state, f, x, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, task_wrong_size
    use lm, only: lm_fit, lm_residuals
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: m                        !! residuals handed in
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(*)             !! the packed array of a fit begun with `start`
    real(wp), intent(in) :: f(m)                    !! residuals at the x last asked about
    real(wp), intent(inout) :: x(n)                 !! out: where to evaluate next, or the solution
    integer, intent(out) :: task                    !! what to do next

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)

    call unpack_fit(n, state, fit, ipvt)
    task = task_wrong_size
    if (fit%m /= m .or. fit%n /= n) return
    call lm_residuals(m, n, f, fit, ipvt, state(work_begins(n)), x, task)
end subroutine take_residuals

!> Hand in a Jacobian; get the next task and the point it is for.
subroutine take_jacobian(entries, n, state, jacobian, by_columns, x, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, long, task_wrong_size
    use lm, only: lm_fit, lm_jacobian
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer(long), intent(in) :: entries            !! of the Jacobian
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(*)             !! the packed array of a fit begun with `start`
    real(wp), intent(in) :: jacobian(entries)       !! Jacobian at the x last asked about
    integer, intent(in) :: by_columns               !! 1: columns of J lie together; 0: rows do
    real(wp), intent(inout) :: x(n)                 !! out: where to evaluate next, or the solution
    integer, intent(out) :: task                    !! what to do next

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)
    integer(long) :: row_stride, column_stride

    call unpack_fit(n, state, fit, ipvt)
    task = task_wrong_size
    if (fit%n /= n .or. entries /= int(fit%m, long)*n) return
    row_stride = n
    column_stride = 1
    if (by_columns == 1) then
        row_stride = 1
        column_stride = fit%m
    end if
    call lm_jacobian(fit%m, n, jacobian, row_stride, column_stride, fit, ipvt, state(work_begins(n)), x, task)
end subroutine take_jacobian

!> Hand in values of a model; get the next task and the point it is for.
subroutine take_values(m, n, state, values, y, weighted, weights, f, x, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, task_wrong_size
    use lm, only: lm_fit, lm_values
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: m                        !! points
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(*)             !! the packed array of a fit begun with `start`
    real(wp), intent(in) :: values(m)               !! values of the model at the x last asked about
    real(wp), intent(in) :: y(m)                    !! observations
    integer, intent(in) :: weighted                 !! 1: with weights
    real(wp), intent(in) :: weights(*)              !! reciprocal standard deviations (m); 0 leaves a point out
    real(wp), intent(inout) :: f(m)                 !! work
    real(wp), intent(inout) :: x(n)                 !! out: where to evaluate next, or the solution
    integer, intent(out) :: task                    !! what to do next

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)

    call unpack_fit(n, state, fit, ipvt)
    task = task_wrong_size
    if (fit%m /= m .or. fit%n /= n) return
    call lm_values(m, n, values, y, weighted == 1, weights, fit, ipvt, state(work_begins(n)), f, x, task)
end subroutine take_values

!> Hand in derivatives of a model; get the next task and the point it is for.
subroutine take_slopes(m, n, state, slopes, by_columns, y, weighted, weights, x, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, long, task_wrong_size
    use lm, only: lm_fit, lm_slopes
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: m                        !! points
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(*)             !! the packed array of a fit begun with `start`
    real(wp), intent(in) :: slopes(*)               !! derivatives of the values at the x last asked about
    integer, intent(in) :: by_columns               !! 1: those by one parameter lie together; 0: those of one point do
    real(wp), intent(in) :: y(m)                    !! observations
    integer, intent(in) :: weighted                 !! 1: with weights
    real(wp), intent(in) :: weights(*)              !! reciprocal standard deviations (m); 0 leaves a point out
    real(wp), intent(inout) :: x(n)                 !! out: where to evaluate next, or the solution
    integer, intent(out) :: task                    !! what to do next

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)
    integer(long) :: row_stride, column_stride

    call unpack_fit(n, state, fit, ipvt)
    task = task_wrong_size
    if (fit%m /= m .or. fit%n /= n) return
    row_stride = merge(1, n, by_columns == 1)
    column_stride = merge(m, 1, by_columns == 1)
    call lm_slopes(m, n, slopes, row_stride, column_stride, y, weighted == 1, weights, fit, ipvt, &
                   state(work_begins(n)), x, task)
end subroutine take_slopes

!> Compare values of a model with observations: weighted residuals, as the fits of its values have them.
subroutine compare_values(m, values, y, weighted, weights, f)
    use kinds, only: wp
    use rows, only: keep_values
    use solver_options, only: loss_linear
    implicit none (type, external)
    integer, intent(in) :: m                        !! points
    real(wp), intent(in) :: values(m)               !! values of the model
    real(wp), intent(in) :: y(m)                    !! observations
    integer, intent(in) :: weighted                 !! 1: with weights
    real(wp), intent(in) :: weights(*)              !! reciprocal standard deviations (m); 0 leaves a point out
    real(wp), intent(inout) :: f(m)                 !! out: weighted residuals

    call keep_values(m, values, y, weighted == 1, weights, loss_linear, f)
end subroutine compare_values

!> Norms of rows that each lie together, as C stores a matrix.
subroutine row_norms(m, rows, a, norms_of_rows)
    use kinds, only: wp
    use norms, only: column_norms
    implicit none (type, external)
    integer, intent(in) :: m                            !! entries of a row
    integer, intent(in) :: rows
    real(wp), intent(in) :: a(m, rows)                  !! the matrix, a row in each column
    real(wp), intent(inout) :: norms_of_rows(rows)      !! out: norms, not finite where an entry is not

    call column_norms(m, rows, a, norms_of_rows)
end subroutine row_norms

!> Say how a fit stands.
subroutine outcome(state, info, nfev, njev, column, fnorm)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp
    use lm, only: lm_fit
    use packed_state, only: unpack_fit
    implicit none (type, external)
    real(wp), intent(in), target :: state(*)        !! the packed array of a fit
    integer, intent(out) :: info                    !! exit code
    integer, intent(out) :: nfev                    !! evaluations of the residuals
    integer, intent(out) :: njev                    !! evaluations of the Jacobian
    integer, intent(out) :: column                  !! first column that is not finite, where that ended the fit
    real(wp), intent(out) :: fnorm                  !! norm of the residuals at the solution

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)

    call unpack_fit(0, state, fit, ipvt)
    info = fit%info
    nfev = fit%nfev
    njev = fit%njev
    column = fit%column
    fnorm = fit%fnorm
end subroutine outcome

!> Invert JᵀJ without fixed parameters, and say how well that could be done, and how much depends on what parameters.
subroutine covariance_matrix(n, state, deviation, cov, norms, least_ratio, tangent, changes, share)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, long
    use lm, only: lm_fit, lm_layout, layout
    use lm_state, only: is_fixed
    use covariance, only: covar
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(*)     !! the packed array of a finished fit
    real(wp), intent(in) :: deviation               !! standard deviation of the residuals
    real(wp), intent(inout) :: cov(n, n)            !! out: deviation² (JᵀJ)⁻¹ for the last Jacobian; zero if singular
    real(wp), intent(inout) :: norms(n)             !! out: norms of the columns of that Jacobian
    real(wp), intent(out) :: least_ratio            !! smallest |r_jj| as a share of its column's norm; 0 if singular
    real(wp), intent(out) :: tangent                !! norm of the head of Qᵀ f
    real(wp), intent(out) :: changes(2)             !! least and largest change of the residuals, as linearised, where a
                                                    !! parameter changes by all of itself, or by one if it is zero
    real(wp), intent(out) :: share                  !! largest standard error by its parameter, but for those at zero

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)
    type(lm_layout) :: at
    integer(long) :: base
    integer :: j, free
    logical :: singular, fixed(n)
    real(wp) :: x(n)

    call unpack_fit(n, state, fit, ipvt)
    least_ratio = 0.0_wp
    tangent = 0.0_wp
    changes = 0.0_wp
    share = 0.0_wp
    if (fit%n /= n) return
    at = layout(fit%m, n, fit%analytic, logical(fit%bounded))
    base = work_begins(n) - 1
    do j = 1, n
        fixed(j) = is_fixed(j, fit, at, state(work_begins(n)))
    end do
    free = n - count(fixed)
    tangent = norm2(state(base + at%qtf:base + at%qtf + free - 1))
    call covar(n, free, state(base + at%r), ipvt, cov, singular, state(base + at%s), deviation)
    norms = state(base + at%acnorm:base + at%acnorm + n - 1)
    x = abs(state(base + at%x:base + at%x + n - 1))
    changes(1) = minval(merge(norms, norms*x, x == 0.0_wp), mask=.not. fixed)
    changes(2) = maxval(merge(norms, norms*x, x == 0.0_wp), mask=.not. fixed)
    if (singular) return
    least_ratio = 1.0_wp
    do j = 1, free
        least_ratio = min(least_ratio, abs(state(base + at%r + (j - 1)*int(n + 1, long)))/norms(ipvt(j)))
    end do
    do j = 1, n
        if (x(j) > 0.0_wp) share = max(share, sqrt(cov(j, j))/x(j))
    end do
end subroutine covariance_matrix

!> Say where in the packed array of a finished fit its results begin, counted from 0, and copy out the pivots.
subroutine positions(n, state, x, f, qtf, r, rows, ipvt)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, long, row_block
    use lm, only: lm_fit, lm_layout, layout
    use packed_state, only: unpack_fit, work_begins
    implicit none (type, external)
    integer, intent(in) :: n                        !! parameters
    real(wp), intent(inout), target :: state(*)     !! the packed array of a fit
    integer(long), intent(out) :: x                 !! the solution, or the best point so far (n)
    integer(long), intent(out) :: f                 !! residuals at the solution (m)
    integer(long), intent(out) :: qtf               !! first n entries of Qᵀ f (n)
    integer(long), intent(out) :: r                 !! triangle of the last Jacobian, nothing below it is set (n, n)
    integer(long), intent(out) :: rows              !! the last Jacobian, factored (m, n); -1: it was folded, or m < n
    integer, intent(inout) :: ipvt(n)               !! out: its pivots, counted from 0

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: pivots(:)
    type(lm_layout) :: at
    integer(long) :: base

    call unpack_fit(n, state, fit, pivots)
    x = -1
    f = -1
    qtf = -1
    r = -1
    rows = -1
    if (fit%n /= n) return
    at = layout(fit%m, n, fit%analytic, logical(fit%bounded))
    base = work_begins(n) - 2
    x = base + at%x
    f = base + at%f
    qtf = base + at%qtf
    r = base + at%r
    if (fit%m <= row_block .and. fit%m >= n) rows = base + at%rows
    ipvt = pivots - 1
end subroutine positions
