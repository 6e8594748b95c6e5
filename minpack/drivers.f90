! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> `lmdif` and `lmder` with MINPACK's argument lists, for Fortran callers: two loops around one iteration.
module drivers
    use kinds, only: wp, long, row_block, task_done, task_residuals, info_improper_input
    use differences, only: residual_function
    use solver_options, only: fit_options
    use lm, only: lm_fit, lm_layout, layout, lm_start, lm_residuals, lm_jacobian
    implicit none (type, external)
    private
    public :: lmdif, lmder, residual_function, residual_jacobian_function

    abstract interface
        !> Evaluate the residuals (iflag 1) or the Jacobian (iflag 2); set iflag negative to stop.
        subroutine residual_jacobian_function(m, n, x, fvec, fjac, ldfjac, iflag)
            import :: wp
            implicit none (type, external)
            integer, intent(in) :: m                    !! residuals
            integer, intent(in) :: n                    !! parameters
            integer, intent(in) :: ldfjac               !! leading dimension of fjac
            real(wp), intent(in) :: x(n)                !! the point
            real(wp), intent(inout) :: fvec(m)          !! the residuals there; set only when iflag is 1
            real(wp), intent(inout) :: fjac(ldfjac, n)  !! the Jacobian there; set only when iflag is 2
            integer, intent(inout) :: iflag             !! in: 1, 2, or 0 to print; out: negative to stop
        end subroutine residual_jacobian_function
    end interface

contains

    !> Minimise the sum of squares of m functions of n variables, Jacobian by forward differences.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), LMDIF. Iterates and exit codes of MINPACK-1 for
    !> m <= row_block and finite residuals; beyond, rows of R may differ in sign and fjac holds zeros below R's
    !> triangle. Exit codes above 8: see `kinds`. wa2 and wa3 are MINPACK's and not used.
    recursive subroutine lmdif(fcn, m, n, x, fvec, ftol, xtol, gtol, maxfev, epsfcn, diag, mode, factor, nprint, &
                     info, nfev, fjac, ldfjac, ipvt, qtf, wa1, wa2, wa3, wa4)
        procedure(residual_function) :: fcn             !! evaluates the residuals
        integer, intent(in) :: m                        !! residuals, m >= n
        integer, intent(in) :: n                        !! parameters, n >= 1
        integer, intent(in) :: ldfjac                   !! leading dimension of fjac, ldfjac >= m
        real(wp), intent(inout) :: x(n)                 !! in: starting point; out: solution
        real(wp), intent(inout) :: fvec(m)              !! out: residuals at x
        real(wp), intent(in) :: ftol, xtol, gtol        !! tolerances, >= 0
        integer, intent(in) :: maxfev                   !! bound on evaluations, > 0
        real(wp), intent(in) :: epsfcn                  !! relative error of the residuals
        real(wp), intent(inout) :: diag(n)              !! scaling: read when mode is 2, else set
        integer, intent(in) :: mode                     !! 2: diag is given; otherwise it is chosen
        real(wp), intent(in) :: factor                  !! initial step bound, > 0
        integer, intent(in) :: nprint                   !! > 0: fcn is called with iflag 0 every nprint iterations
        integer, intent(out) :: info                    !! exit code; negative when fcn asked to stop
        integer, intent(out) :: nfev                    !! evaluations of the residuals
        real(wp), intent(inout) :: fjac(ldfjac, n)      !! out: R in the upper triangle
        integer, intent(inout) :: ipvt(n)               !! out: the permutation P
        real(wp), intent(inout) :: qtf(n)               !! out: first n entries of Qᵀ fvec
        real(wp), intent(inout) :: wa1(n), wa2(n), wa3(n), wa4(m)  !! work; wa4 holds trial residuals

        type(lm_fit) :: fit
        real(wp), allocatable :: work(:)
        integer :: task, iflag, printed

        info = info_improper_input
        nfev = 0
        if (n < 1 .or. m < n .or. ldfjac < m) return
        call open_fit(m, n, x, 0, ftol, xtol, gtol, maxfev, epsfcn, factor, mode, diag, fit, work, task)
        wa1 = x
        printed = 0
        iflag = 0
        do while (task /= task_done)
            call print_if_due()
            if (iflag < 0) exit
            iflag = 1
            call fcn(m, n, wa1, wa4, iflag)
            if (iflag < 0) exit
            call lm_residuals(m, n, wa4, fit, ipvt, work, wa1, task)
        end do
        call close_fit(m, n, fit, iflag, work, x, fvec, diag, fjac, ldfjac, qtf, info, nfev)
        if (nprint > 0 .and. iflag >= 0 .and. info /= info_improper_input) then
            iflag = 0
            call fcn(m, n, x, fvec, iflag)
        end if

    contains

        !> Show the caller the best point once per iteration that is due.
        recursive subroutine print_if_due()
            type(lm_layout) :: at

            if (.not. is_due(nprint, fit%iter) .or. fit%nfev == 0 .or. fit%iter == printed) return
            printed = fit%iter
            at = layout(m, n, 0)
            iflag = 0
            call fcn(m, n, work(at%x:at%x + n - 1), work(at%f:at%f + m - 1), iflag)
        end subroutine print_if_due

    end subroutine lmdif

    !> Minimise the sum of squares of m functions of n variables, Jacobian from the caller.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), LMDER. Iterates and exit codes of MINPACK-1 for
    !> m <= row_block and finite residuals; beyond, rows of R may differ in sign and fjac holds zeros below R's
    !> triangle. Exit codes above 8: see `kinds`. wa2 and wa3 are MINPACK's and not used.
    recursive subroutine lmder(fcn, m, n, x, fvec, fjac, ldfjac, ftol, xtol, gtol, maxfev, diag, mode, factor, nprint, &
                     info, nfev, njev, ipvt, qtf, wa1, wa2, wa3, wa4)
        procedure(residual_jacobian_function) :: fcn    !! evaluates residuals and Jacobian
        integer, intent(in) :: m                        !! residuals, m >= n
        integer, intent(in) :: n                        !! parameters, n >= 1
        integer, intent(in) :: ldfjac                   !! leading dimension of fjac, ldfjac >= m
        real(wp), intent(inout) :: x(n)                 !! in: starting point; out: solution
        real(wp), intent(inout) :: fvec(m)              !! out: residuals at x
        real(wp), intent(inout) :: fjac(ldfjac, n)      !! out: R in the upper triangle
        real(wp), intent(in) :: ftol, xtol, gtol        !! tolerances, >= 0
        integer, intent(in) :: maxfev                   !! bound on evaluations of the residuals, > 0
        real(wp), intent(inout) :: diag(n)              !! scaling: read when mode is 2, else set
        integer, intent(in) :: mode                     !! 2: diag is given; otherwise it is chosen
        real(wp), intent(in) :: factor                  !! initial step bound, > 0
        integer, intent(in) :: nprint                   !! > 0: fcn is called with iflag 0 every nprint iterations
        integer, intent(out) :: info                    !! exit code; negative when fcn asked to stop
        integer, intent(out) :: nfev                    !! evaluations of the residuals
        integer, intent(out) :: njev                    !! evaluations of the Jacobian
        integer, intent(inout) :: ipvt(n)               !! out: the permutation P
        real(wp), intent(inout) :: qtf(n)               !! out: first n entries of Qᵀ fvec
        real(wp), intent(inout) :: wa1(n), wa2(n), wa3(n), wa4(m)  !! work; wa4 holds trial residuals

        type(lm_fit) :: fit
        real(wp), allocatable :: work(:)
        integer :: task, iflag

        info = info_improper_input
        nfev = 0
        njev = 0
        if (n < 1 .or. m < n .or. ldfjac < m) return
        call open_fit(m, n, x, 1, ftol, xtol, gtol, maxfev, 0.0_wp, factor, mode, diag, fit, work, task)
        wa1 = x
        iflag = 0
        do while (task /= task_done)
            if (task == task_residuals) then
                iflag = 1
                call fcn(m, n, wa1, wa4, fjac, ldfjac, iflag)
                if (iflag < 0) exit
                call lm_residuals(m, n, wa4, fit, ipvt, work, wa1, task)
            else
                iflag = 2
                call fcn(m, n, wa1, wa4, fjac, ldfjac, iflag)
                if (iflag < 0) exit
                if (is_due(nprint, fit%iter)) then
                    iflag = 0
                    call fcn(m, n, wa1, wa4, fjac, ldfjac, iflag)
                    if (iflag < 0) exit
                end if
                call lm_jacobian(m, n, fjac, 1_long, int(ldfjac, long), fit, ipvt, work, wa1, task)
            end if
        end do
        call close_fit(m, n, fit, iflag, work, x, fvec, diag, fjac, ldfjac, qtf, info, nfev)
        njev = fit%njev
        if (nprint > 0 .and. iflag >= 0 .and. info /= info_improper_input) then
            iflag = 0
            call fcn(m, n, x, fvec, fjac, ldfjac, iflag)
        end if
    end subroutine lmder

    !> Whether an iteration is one to print.
    pure function is_due(nprint, iter) result(due)
        integer, intent(in) :: nprint, iter
        logical :: due

        due = .false.
        if (nprint > 0) due = mod(iter - 1, nprint) == 0
    end function is_due

    !> Allocate a fit's arrays and start it.
    subroutine open_fit(m, n, x, analytic, ftol, xtol, gtol, maxfev, epsfcn, factor, mode, diag, fit, work, task)
        integer, intent(in) :: m, n
        real(wp), intent(in) :: x(n)
        integer, intent(in) :: analytic
        real(wp), intent(in) :: ftol, xtol, gtol
        integer, intent(in) :: maxfev
        real(wp), intent(in) :: epsfcn, factor
        integer, intent(in) :: mode
        real(wp), intent(in) :: diag(n)
        type(lm_fit), intent(out) :: fit
        real(wp), allocatable, intent(out) :: work(:)
        integer, intent(out) :: task

        type(lm_layout) :: at

        at = layout(m, n, analytic)
        allocate (work(at%size))
        call lm_start(m, n, x, analytic, fit_options(ftol, xtol, gtol, factor, real(maxfev, wp), epsfcn), &
                      merge(1, 0, mode == 2), diag, fit, work, task)
    end subroutine open_fit

    !> Unpack what a fit leaves into MINPACK's arguments.
    subroutine close_fit(m, n, fit, iflag, work, x, fvec, diag, fjac, ldfjac, qtf, info, nfev)
        integer, intent(in) :: m, n, ldfjac
        type(lm_fit), intent(in) :: fit
        integer, intent(in) :: iflag
        real(wp), intent(in) :: work(:)
        real(wp), intent(inout) :: x(n), fvec(m), diag(n), fjac(ldfjac, n), qtf(n)
        integer, intent(out) :: info, nfev

        type(lm_layout) :: at
        integer(long) :: first
        integer :: j, rows

        nfev = fit%nfev
        info = fit%info
        if (iflag < 0) info = iflag
        if (info == info_improper_input .or. fit%nfev == 0) return
        at = layout(m, n, fit%analytic)
        x = work(at%x:at%x + n - 1)
        fvec = work(at%f:at%f + m - 1)
        if (fit%xnorm == 0.0_wp .and. fit%delta == 0.0_wp) return  ! stopped before the first factorisation
        diag = work(at%diag:at%diag + n - 1)
        qtf = work(at%qtf:at%qtf + n - 1)
        rows = m
        if (m > row_block) rows = 0
        do j = 1, n
            first = at%rows + (j - 1)*int(m, long)
            fjac(1:rows, j) = work(first:first + rows - 1)
            first = at%r + (j - 1)*int(n, long)
            fjac(1:j, j) = work(first:first + j - 1)
            fjac(max(rows, j) + 1:m, j) = 0.0_wp
        end do
    end subroutine close_fit

end module drivers
